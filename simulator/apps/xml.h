// libxml2 behind RAII, and only what a service provider may want of a document: every
// look-up names the namespace, and nothing outside the document is ever fetched.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

struct _xmlDoc;  // libxml2's headers stay in the .cc files.
struct _xmlNode;

namespace devicetrust::simulator {

inline constexpr std::string_view kSamlNs = "urn:oasis:names:tc:SAML:2.0:assertion";
inline constexpr std::string_view kSamlpNs = "urn:oasis:names:tc:SAML:2.0:protocol";
inline constexpr std::string_view kMetadataNs = "urn:oasis:names:tc:SAML:2.0:metadata";
inline constexpr std::string_view kDsNs = "http://www.w3.org/2000/09/xmldsig#";

// An element of a Document, which it must not outlive.
class Element {
 public:
  explicit Element(_xmlNode* node) : node_(node) {}

  bool Is(std::string_view ns, std::string_view name) const;
  std::optional<std::string> Attribute(std::string_view name) const;  // Of no namespace.
  // All its text, leading and trailing white space removed. Comments are not part of it; but
  // Document::Parse() lets none in anyway.
  std::string Text() const;
  std::vector<Element> Children() const;
  std::vector<Element> Children(std::string_view ns, std::string_view name) const;
  // At any depth below it, in document order.
  std::vector<Element> Descendants(std::string_view ns, std::string_view name) const;
  // The only child of that name; kInvalidArgument when there is none or another one.
  absl::StatusOr<Element> Only(std::string_view ns, std::string_view name) const;

  _xmlNode* get() const { return node_; }  // Borrowed, never null.
  bool operator==(const Element& other) const { return node_ == other.node_; }

 private:
  _xmlNode* node_;
};

class Document {
 public:
  static constexpr std::size_t kBytesMax = 512 * 1024;

  // kInvalidArgument: too long, not well-formed, or with what SAML has no use for and attacks
  // have: a document type, an entity, a comment, a processing instruction, two equal IDs.
  static absl::StatusOr<Document> Parse(std::string_view xml);

  Element root() const;
  // Every element of that name, wherever it stands.
  std::vector<Element> Find(std::string_view ns, std::string_view name) const;
  // Exclusive canonical form (http://www.w3.org/2001/10/xml-exc-c14n#) of `element` without
  // its part `except` (null: whole). `prefixes`: InclusiveNamespaces PrefixList.
  absl::StatusOr<std::string> Canonical(Element element, _xmlNode* except,
                                        const std::vector<std::string>& prefixes) const;

 private:
  struct Free {
    void operator()(_xmlDoc* document) const noexcept;
  };
  explicit Document(_xmlDoc* document) : document_(document) {}
  std::unique_ptr<_xmlDoc, Free> document_;
};

}  // namespace devicetrust::simulator
