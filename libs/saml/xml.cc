#include "libs/saml/xml.h"

#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "libs/base/encoding.h"

namespace devicetrust::saml {
namespace {

std::string_view View(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

// libxml2 writes to standard error unless told otherwise, and initialises lazily.
void PrepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] { xmlInitParser(); });
}
void IgnoreXmlError(void* /*context*/, xmlErrorPtr /*error*/) {}

// Length of the UTF-8 sequence at the front that XML 1.0 can hold (section 2.2); 0 when
// there is none.
std::size_t XmlCharBytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') return 0;
  if (text.starts_with("\xef\xbf\xbe") || text.starts_with("\xef\xbf\xbf")) return 0;
  return Utf8Length(text);
}

std::string Escape(std::string_view text, bool attribute) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = XmlCharBytes(text);
    if (size == 0) {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    }
    const char c = text.front();
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>' && !attribute) {
      out += "&gt;";
    } else if (c == '"' && attribute) {
      out += "&quot;";
    } else if (c == '\r') {
      out += "&#xD;";
    } else if (c == '\n' && attribute) {
      out += "&#xA;";
    } else if (c == '\t' && attribute) {
      out += "&#x9;";
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

// Every element of the document, in order, without recursion.
template <typename Visit>
void ForEachNode(xmlNode* root, Visit visit) {
  xmlNode* node = root;
  while (node != nullptr) {
    visit(node);
    if (node->children != nullptr && node->type == XML_ELEMENT_NODE) {
      node = node->children;
      continue;
    }
    while (node != root && node->next == nullptr) node = node->parent;
    node = node == root ? nullptr : node->next;
  }
}

// A signature names what it covers by ID: two elements of one ID are two answers.
absl::Status CheckNodes(xmlNode* root, bool comments_allowed) {
  absl::Status status;
  std::set<std::string> ids;
  ForEachNode(root, [&](xmlNode* node) {
    if (node->type == XML_ENTITY_REF_NODE ||
        (!comments_allowed && (node->type == XML_COMMENT_NODE || node->type == XML_PI_NODE))) {
      status = absl::InvalidArgumentError(
          "the XML has a comment, a processing instruction or an entity inside");
    }
    if (node->type != XML_ELEMENT_NODE) return;
    const std::optional<std::string> id = XmlElement(node).Attribute("ID");
    if (id && !ids.insert(*id).second) {
      status = absl::InvalidArgumentError("two elements of the XML have the same ID");
    }
  });
  return status;
}

absl::Status CheckText(std::string_view text, const XmlLimits& limits) {
  if (text.empty() || text.size() > limits.bytes_max) {
    return absl::InvalidArgumentError("the XML is empty or too long");
  }
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t size = XmlCharBytes(rest);
    if (size == 0) return absl::InvalidArgumentError("the XML is not UTF-8 text");
    rest.remove_prefix(size);
  }
  // The octets are UTF-8 for certain, so this sees every declaration there can be.
  if (text.find("<!DOCTYPE") != std::string_view::npos ||
      text.find("<!ENTITY") != std::string_view::npos) {
    return absl::InvalidArgumentError("the XML has a document type declaration");
  }
  return absl::OkStatus();
}

struct CanonicalScope {
  xmlNode* element;
  xmlNode* except;
};

// For xmlC14NExecute: is this node part of what is put into canonical form?
int InScope(void* argument, xmlNode* node, xmlNode* parent) {
  const CanonicalScope& scope = *static_cast<CanonicalScope*>(argument);
  // A namespace node has no parent link of its own.
  for (xmlNode* at = node->type == XML_NAMESPACE_DECL ? parent : node; at != nullptr;
       at = at->parent) {
    if (at == scope.except) return 0;
    if (at == scope.element) return 1;
  }
  return 0;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

}  // namespace

void XmlFree::operator()(_xmlDoc* document) const noexcept { xmlFreeDoc(document); }

bool XmlElement::Is(std::string_view ns, std::string_view name) const {
  return View(node_->name) == name && node_->ns != nullptr && View(node_->ns->href) == ns;
}

std::optional<std::string> XmlElement::Attribute(std::string_view name) const {
  for (const xmlAttr* attribute = node_->properties; attribute != nullptr;
       attribute = attribute->next) {
    if (attribute->ns != nullptr || View(attribute->name) != name) continue;
    xmlChar* value = xmlNodeListGetString(node_->doc, attribute->children, 1);
    std::string text(View(value));
    xmlFree(value);
    return text;
  }
  return std::nullopt;
}

std::optional<std::string> XmlElement::TrimmedAttribute(std::string_view name) const {
  const std::optional<std::string> text = Attribute(name);
  if (!text) return std::nullopt;
  return std::string(Trimmed(*text));
}

absl::StatusOr<bool> XmlElement::BooleanAttribute(std::string_view name, bool fallback) const {
  const std::optional<std::string> text = TrimmedAttribute(name);
  if (!text) return fallback;
  if (*text == "true" || *text == "1") return true;
  if (*text == "false" || *text == "0") return false;
  return absl::InvalidArgumentError(std::string(name) + " is neither true nor false");
}

std::string XmlElement::Text() const {
  xmlChar* value = xmlNodeGetContent(node_);
  std::string trimmed(Trimmed(View(value)));
  xmlFree(value);
  return trimmed;
}

std::vector<XmlElement> XmlElement::Children() const {
  std::vector<XmlElement> children;
  for (xmlNode* child = node_->children; child != nullptr; child = child->next) {
    if (child->type == XML_ELEMENT_NODE) children.emplace_back(child);
  }
  return children;
}

std::vector<XmlElement> XmlElement::Children(std::string_view ns, std::string_view name) const {
  std::vector<XmlElement> children = Children();
  std::erase_if(children, [&](const XmlElement& child) { return !child.Is(ns, name); });
  return children;
}

absl::StatusOr<std::optional<XmlElement>> XmlElement::Child(std::string_view ns,
                                                            std::string_view name) const {
  const std::vector<XmlElement> found = Children(ns, name);
  if (found.size() > 1) return absl::InvalidArgumentError(std::string(name) + " occurs twice");
  if (found.empty()) return std::optional<XmlElement>();
  return std::optional<XmlElement>(found.front());
}

absl::StatusOr<XmlDocument> XmlDocument::Parse(std::string_view text, XmlLimits limits) {
  PrepareLibrary();
  DT_RETURN_IF_ERROR(CheckText(text, limits));
  const std::unique_ptr<xmlParserCtxt, decltype(&xmlFreeParserCtxt)> parser(xmlNewParserCtxt(),
                                                                            &xmlFreeParserCtxt);
  if (parser == nullptr) return absl::ResourceExhaustedError("XML parser");
  parser->sax->serror = &IgnoreXmlError;
  std::unique_ptr<xmlDoc, XmlFree> document(
      xmlCtxtReadMemory(parser.get(), text.data(), static_cast<int>(text.size()), nullptr, "UTF-8",
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING));
  if (document == nullptr || parser->wellFormed == 0 || document->intSubset != nullptr) {
    return absl::InvalidArgumentError("the XML is not well-formed");
  }
  xmlNode* root = xmlDocGetRootElement(document.get());
  if (root == nullptr) return absl::InvalidArgumentError("the XML has no root element");
  DT_RETURN_IF_ERROR(CheckNodes(root, limits.comments_allowed));
  return XmlDocument(std::move(document));
}

XmlElement XmlDocument::root() const { return XmlElement(xmlDocGetRootElement(document_.get())); }

absl::StatusOr<std::string> Canonicalize(const XmlDocument& document, XmlElement element,
                                         std::optional<XmlElement> except) {
  CanonicalScope scope{element.get(), except ? except->get() : nullptr};
  xmlOutputBuffer* buffer = xmlAllocOutputBuffer(nullptr);
  if (buffer == nullptr) return absl::ResourceExhaustedError("XML buffer");
  const int written =
      xmlC14NExecute(document.get(), &InScope, &scope, XML_C14N_EXCLUSIVE_1_0, nullptr, 0, buffer);
  std::string text;
  if (written >= 0) {
    text.assign(reinterpret_cast<const char*>(xmlOutputBufferGetContent(buffer)),
                xmlOutputBufferGetSize(buffer));
  }
  xmlOutputBufferClose(buffer);
  if (written < 0) return absl::InvalidArgumentError("the XML has no canonical form");
  return text;
}

std::string EscapeXmlText(std::string_view text) { return Escape(text, false); }
std::string EscapeXmlAttribute(std::string_view text) { return Escape(text, true); }

}  // namespace devicetrust::saml
