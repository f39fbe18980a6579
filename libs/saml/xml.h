// XML that came from outside, read by libxml2 with everything switched off that has ever
// been an attack; and XML that we write, escaped by construction.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

struct _xmlDoc;  // libxml2's; its headers stay in the .cc files.
struct _xmlNode;

namespace devicetrust::saml {

struct XmlFree {
  void operator()(_xmlDoc* document) const noexcept;
};

// What keeps the work for a document in proportion to its length. The numbers are those of a
// protocol message: the largest that is allowed costs less than 10 ms to read and to verify
// (bench/saml_bench.cc), whoever sent it.
struct XmlLimits {
  std::size_t bytes_max = 64 * 1024;
  std::size_t elements_max = 100;
  std::size_t depth_max = 20;
  std::size_t attributes_max = 200;  // Of all elements, declarations of namespaces not counted.
  std::size_t namespaces_max = 20;   // Declarations, of all elements.
  std::size_t name_bytes_max = 128;  // Of an element's or attribute's name, and of a prefix.
  // Of a namespace: a canonical form declares it wherever it is used.
  std::size_t namespace_bytes_max = 256;
  // Comments and processing instructions below the root: never in protocol messages, where they
  // have split names in two (CVE-2017-11427 and kin); metadata files have them. Where they are
  // allowed they are passed over.
  bool comments_allowed = false;
};

// One element of a parsed document; borrowed from it.
class XmlElement {
 public:
  explicit XmlElement(_xmlNode* node) : node_(node) {}

  bool Is(std::string_view ns, std::string_view name) const;
  std::string Name() const;  // Without its prefix: for messages.
  // Attributes without a namespace.
  std::optional<std::string> Attribute(std::string_view name) const;
  // The attribute of that namespace.
  std::optional<std::string> AttributeOf(std::string_view ns, std::string_view name) const;
  // The first, of a type whose surrounding white space means nothing: number, time, URI, boolean
  // (XML Schema, part 2, section 4.3.6).
  std::optional<std::string> TrimmedAttribute(std::string_view name) const;
  // xs:boolean; kInvalidArgument for other text.
  absl::StatusOr<bool> BooleanAttribute(std::string_view name, bool fallback) const;
  // xml:lang; empty when the element has none.
  std::string Language() const;
  // All text below, without surrounding white space; or with it, for what it is part of.
  std::string Text() const;
  std::string ExactText() const;
  std::vector<XmlElement> Children() const;
  std::vector<XmlElement> Children(std::string_view ns, std::string_view name) const;
  // The only child of that name; nothing when absent. kInvalidArgument: more than one.
  absl::StatusOr<std::optional<XmlElement>> Child(std::string_view ns, std::string_view name) const;

  _xmlNode* get() const { return node_; }

 private:
  _xmlNode* node_;
};

// A parsed document.
class XmlDocument {
 public:
  // UTF-8 or UTF-16, whatever encoding the document says to have. A document type declaration ends
  // the reading where it stands: nothing is fetched and nothing expanded.
  //
  // Errors: kInvalidArgument: over a limit, in another encoding, not well-formed, a document type
  // declaration, an entity other than the five of XML, an ID attribute that occurs twice.
  static absl::StatusOr<XmlDocument> Parse(std::string_view text, XmlLimits limits = {});

  XmlElement root() const;
  _xmlDoc* get() const { return document_.get(); }

 private:
  explicit XmlDocument(std::unique_ptr<_xmlDoc, XmlFree> document)
      : document_(std::move(document)) {}
  std::unique_ptr<_xmlDoc, XmlFree> document_;
};

// A canonical form of XML. With and without comments is the same here, since documents have none.
struct CanonicalForm {
  enum class Kind {
    kExclusive,    // Exclusive XML Canonicalization 1.0.
    kInclusive,    // Canonical XML 1.0.
    kInclusive11,  // Canonical XML 1.1.
  };
  Kind kind = Kind::kExclusive;
  // Of kExclusive: the PrefixList, prefixes whose namespaces count like those in use; "#default"
  // is the one without a prefix. At most kPrefixesMax.
  std::vector<std::string> prefixes;
};
inline constexpr std::size_t kPrefixesMax = 16;

// `form` of `element` and what is below it, leaving out `except` when it is not null.
absl::StatusOr<std::string> Canonicalize(const XmlDocument& document, XmlElement element,
                                         std::optional<XmlElement> except,
                                         const CanonicalForm& form = {});

// Text as it stands in canonical XML: in content, and between double quotes. Octets that
// are no UTF-8, or that XML 1.0 can't hold, become U+FFFD.
std::string EscapeXmlText(std::string_view text);
std::string EscapeXmlAttribute(std::string_view text);

inline constexpr std::string_view kSamlNs = "urn:oasis:names:tc:SAML:2.0:assertion";
inline constexpr std::string_view kSamlpNs = "urn:oasis:names:tc:SAML:2.0:protocol";
inline constexpr std::string_view kMetadataNs = "urn:oasis:names:tc:SAML:2.0:metadata";
inline constexpr std::string_view kDsigNs = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr std::string_view kExcC14n = "http://www.w3.org/2001/10/xml-exc-c14n#";

}  // namespace devicetrust::saml
