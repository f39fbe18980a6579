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

struct XmlLimits {
  std::size_t bytes_max = 64 * 1024;
  // Comments and processing instructions: never in protocol messages, where they have split
  // names in two (CVE-2017-11427 and kin); metadata files have them.
  bool comments_allowed = false;
};

// One element of a parsed document; borrowed from it.
class XmlElement {
 public:
  explicit XmlElement(_xmlNode* node) : node_(node) {}

  bool Is(std::string_view ns, std::string_view name) const;
  // Attributes without a namespace.
  std::optional<std::string> Attribute(std::string_view name) const;
  // The same of a type whose surrounding white space means nothing: number, time, URI, boolean
  // (XML Schema, part 2, section 4.3.6).
  std::optional<std::string> TrimmedAttribute(std::string_view name) const;
  // xs:boolean; kInvalidArgument for other text.
  absl::StatusOr<bool> BooleanAttribute(std::string_view name, bool fallback) const;
  // All text below, without surrounding white space.
  std::string Text() const;
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
  // Errors: kInvalidArgument: too long, not well-formed UTF-8 XML, a document type
  // declaration, an entity other than the five of XML, an ID attribute that occurs twice.
  // Nothing is fetched and nothing expanded.
  static absl::StatusOr<XmlDocument> Parse(std::string_view text, XmlLimits limits = {});

  XmlElement root() const;
  _xmlDoc* get() const { return document_.get(); }

 private:
  explicit XmlDocument(std::unique_ptr<_xmlDoc, XmlFree> document)
      : document_(std::move(document)) {}
  std::unique_ptr<_xmlDoc, XmlFree> document_;
};

// Exclusive canonical form (without comments) of `element` and what is below it, leaving
// out `except` when it is not null.
absl::StatusOr<std::string> Canonicalize(const XmlDocument& document, XmlElement element,
                                         std::optional<XmlElement> except);

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
