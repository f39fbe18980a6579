#include "libs/saml/xml.h"

#include <fmt/format.h>
#include <libxml/SAX2.h>
#include <libxml/c14n.h>
#include <libxml/encoding.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>

#include <algorithm>
#include <array>
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
void IgnoreXmlError(void* /*context*/, xmlErrorPtr /*error*/) {}
void PrepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] { xmlInitParser(); });
  xmlSetStructuredErrorFunc(nullptr, &IgnoreXmlError);  // Of this thread.
}

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
absl::Status CheckNodes(xmlNode* root) {
  absl::Status status;
  std::set<std::string> ids;
  ForEachNode(root, [&](xmlNode* node) {
    if (node->type == XML_ENTITY_REF_NODE) {
      status = absl::InvalidArgumentError("the XML has an entity inside");
    }
    if (node->type != XML_ELEMENT_NODE) return;
    const std::optional<std::string> id = XmlElement(node).Attribute("ID");
    if (id && !ids.insert(*id).second) {
      status = absl::InvalidArgumentError("two elements of the XML have the same ID");
    }
  });
  return status;
}

// Which UTF-16 it is (XML 1.0, appendix F); XML_CHAR_ENCODING_NONE: none.
xmlCharEncoding Utf16Of(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xff\xfe"sv) || text.starts_with("<\0"sv)) return XML_CHAR_ENCODING_UTF16LE;
  if (text.starts_with("\xfe\xff"sv) || text.starts_with("\0<"sv)) return XML_CHAR_ENCODING_UTF16BE;
  return XML_CHAR_ENCODING_NONE;
}

absl::StatusOr<std::string> FromUtf16(std::string_view text, xmlCharEncoding encoding) {
  using Buffer = std::unique_ptr<xmlBuffer, decltype(&xmlBufferFree)>;
  const Buffer in(xmlBufferCreateStatic(const_cast<char*>(text.data()), text.size()),
                  &xmlBufferFree);
  const Buffer out(xmlBufferCreate(), &xmlBufferFree);
  if (in == nullptr || out == nullptr) return absl::ResourceExhaustedError("XML buffer");
  const int written = xmlCharEncInFunc(xmlGetCharEncodingHandler(encoding), out.get(), in.get());
  if (written < 0 || xmlBufferLength(in.get()) != 0) {
    return absl::InvalidArgumentError("the XML is not well-formed UTF-16 text");
  }
  return std::string(View(xmlBufferContent(out.get())), 0,
                     static_cast<std::size_t>(xmlBufferLength(out.get())));
}

// Why a document is refused: what it has, where {} stands for the most that is allowed. Static
// text, so that nothing is thrown through the parser.
struct XmlRefusal {
  const char* has = nullptr;  // Null: it is not refused.
  std::size_t most = 0;

  absl::Status ToStatus() const {
    return absl::InvalidArgumentError("the XML has " + fmt::format(fmt::runtime(has), most));
  }
};
constexpr const char* kTooManyElements = "more than {} elements";
constexpr const char* kTooManyAttributes = "more than {} attributes";

// `text` is UTF-8 that the parser may see. Inside one tag, and after an error, its work grows with
// the square of what it finds, so that is bounded here: each element begins with a '<', each
// attribute has a '='. Text may hold some of both; what stands where, the parser finds out.
absl::Status CheckText(std::string_view text, const XmlLimits& limits) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t size = XmlCharBytes(rest);
    if (size == 0) return absl::InvalidArgumentError("the XML is neither UTF-8 nor UTF-16 text");
    rest.remove_prefix(size);
  }
  const auto exceeds = [&](char sign, std::size_t most) {
    return static_cast<std::size_t>(std::ranges::count(text, sign)) > 3 * most;
  };
  if (exceeds('<', limits.elements_max)) {
    return XmlRefusal{kTooManyElements, limits.elements_max}.ToStatus();
  }
  if (exceeds('=', limits.attributes_max)) {
    return XmlRefusal{kTooManyAttributes, limits.attributes_max}.ToStatus();
  }
  return absl::OkStatus();
}

// What the parser's callbacks know of the document that is being read: xmlParserCtxt::_private.
struct Reading {
  const XmlLimits& limits;
  std::size_t elements = 0;
  std::size_t attributes = 0;
  std::size_t namespaces = 0;
  XmlRefusal refusal = {};
};

xmlParserCtxt& ParserOf(void* parser) { return *static_cast<xmlParserCtxt*>(parser); }
Reading& ReadingOf(void* parser) { return *static_cast<Reading*>(ParserOf(parser)._private); }

void Stop(void* parser, XmlRefusal refusal) {
  ReadingOf(parser).refusal = refusal;
  xmlStopParser(&ParserOf(parser));
}

// Called before the parser looks at what the declaration declares.
void OnDocumentType(void* parser, const xmlChar* /*name*/, const xmlChar* /*external_id*/,
                    const xmlChar* /*system_id*/) {
  Stop(parser, {"a document type declaration"});
}

void OnComment(void* parser, const xmlChar* /*text*/) {
  if (ParserOf(parser).node == nullptr) return;  // Beside the root.
  if (!ReadingOf(parser).limits.comments_allowed) Stop(parser, {"a comment inside"});
}

void OnInstruction(void* parser, const xmlChar* /*target*/, const xmlChar* /*data*/) {
  if (ParserOf(parser).node == nullptr) return;
  if (!ReadingOf(parser).limits.comments_allowed) Stop(parser, {"a processing instruction inside"});
}

// What speaks against the element that begins, now that it is counted.
XmlRefusal RefusalOf(const Reading& reading, std::size_t depth, std::size_t longest_name,
                     std::size_t longest_namespace) {
  const XmlLimits& limits = reading.limits;
  if (reading.elements > limits.elements_max) return {kTooManyElements, limits.elements_max};
  if (depth > limits.depth_max) return {"more than {} elements in one another", limits.depth_max};
  if (reading.attributes > limits.attributes_max) {
    return {kTooManyAttributes, limits.attributes_max};
  }
  if (reading.namespaces > limits.namespaces_max) {
    return {"more than {} declarations of namespaces", limits.namespaces_max};
  }
  if (longest_name > limits.name_bytes_max) {
    return {"a name of more than {} bytes", limits.name_bytes_max};
  }
  if (longest_namespace > limits.namespace_bytes_max) {
    return {"a namespace of more than {} bytes", limits.namespace_bytes_max};
  }
  return {};
}

// `declared`: prefix and URI of each; `values`: five pointers of each, name and prefix in front.
void OnElement(void* parser, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri,
               int namespaces, const xmlChar** declared, int attributes, int defaulted,
               const xmlChar** values) {
  Reading& reading = ReadingOf(parser);
  reading.elements += 1;
  reading.namespaces += static_cast<std::size_t>(namespaces);
  reading.attributes += static_cast<std::size_t>(attributes);
  std::size_t longest = std::max(View(name).size(), View(prefix).size());
  std::size_t longest_namespace = 0;
  for (int i = 0; i < namespaces; ++i) {
    longest = std::max(longest, View(declared[2 * i]).size());
    longest_namespace = std::max(longest_namespace, View(declared[2 * i + 1]).size());
  }
  for (int i = 0; i < attributes; ++i) {
    longest = std::max({longest, View(values[5 * i]).size(), View(values[5 * i + 1]).size()});
  }
  const auto depth = static_cast<std::size_t>(ParserOf(parser).nodeNr) + 1;
  const XmlRefusal refusal = RefusalOf(reading, depth, longest, longest_namespace);
  if (refusal.has != nullptr) return Stop(parser, refusal);
  xmlSAX2StartElementNs(parser, name, prefix, uri, namespaces, declared, attributes, defaulted,
                        values);
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

int ModeOf(CanonicalForm::Kind kind) {
  switch (kind) {
    case CanonicalForm::Kind::kExclusive:
      return XML_C14N_EXCLUSIVE_1_0;
    case CanonicalForm::Kind::kInclusive:
      return XML_C14N_1_0;
    case CanonicalForm::Kind::kInclusive11:
      return XML_C14N_1_1;
  }
  return XML_C14N_EXCLUSIVE_1_0;
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

std::string XmlElement::Name() const { return std::string(View(node_->name)); }

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

std::optional<std::string> XmlElement::AttributeOf(std::string_view ns,
                                                   std::string_view name) const {
  xmlChar* value = xmlGetNsProp(node_, reinterpret_cast<const xmlChar*>(std::string(name).c_str()),
                                reinterpret_cast<const xmlChar*>(std::string(ns).c_str()));
  if (value == nullptr) return std::nullopt;
  std::string text(View(value));
  xmlFree(value);
  return text;
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

std::string XmlElement::Language() const {
  return AttributeOf(View(XML_XML_NAMESPACE), "lang").value_or("");
}

std::string XmlElement::ExactText() const {
  xmlChar* value = xmlNodeGetContent(node_);
  std::string text(View(value));
  xmlFree(value);
  return text;
}

std::string XmlElement::Text() const { return std::string(Trimmed(ExactText())); }

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
  std::string converted;
  if (const xmlCharEncoding utf16 = Utf16Of(text);
      utf16 != XML_CHAR_ENCODING_NONE && text.size() <= limits.bytes_max) {
    DT_ASSIGN_OR_RETURN(converted, FromUtf16(text, utf16));
    text = converted;
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // A byte order mark.
  if (text.empty() || text.size() > limits.bytes_max) {
    return absl::InvalidArgumentError(
        fmt::format("the XML is empty or longer than {} bytes", limits.bytes_max));
  }
  DT_RETURN_IF_ERROR(CheckText(text, limits));
  const std::unique_ptr<xmlParserCtxt, decltype(&xmlFreeParserCtxt)> parser(xmlNewParserCtxt(),
                                                                            &xmlFreeParserCtxt);
  if (parser == nullptr) return absl::ResourceExhaustedError("XML parser");
  Reading reading{limits};
  parser->_private = &reading;
  parser->sax->serror = &IgnoreXmlError;
  parser->sax->internalSubset = &OnDocumentType;
  parser->sax->startElementNs = &OnElement;
  parser->sax->comment = &OnComment;
  parser->sax->processingInstruction = &OnInstruction;
  std::unique_ptr<xmlDoc, XmlFree> document(xmlCtxtReadMemory(
      parser.get(), text.data(), static_cast<int>(text.size()), nullptr, "UTF-8",
      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC));
  if (reading.refusal.has != nullptr) return reading.refusal.ToStatus();
  if (document == nullptr || parser->wellFormed == 0 || document->intSubset != nullptr) {
    return absl::InvalidArgumentError("the XML is not well-formed");
  }
  xmlNode* root = xmlDocGetRootElement(document.get());
  if (root == nullptr) return absl::InvalidArgumentError("the XML has no root element");
  DT_RETURN_IF_ERROR(CheckNodes(root));
  return XmlDocument(std::move(document));
}

XmlElement XmlDocument::root() const { return XmlElement(xmlDocGetRootElement(document_.get())); }

absl::StatusOr<std::string> Canonicalize(const XmlDocument& document, XmlElement element,
                                         std::optional<XmlElement> except,
                                         const CanonicalForm& form) {
  PrepareLibrary();
  if (form.prefixes.size() > kPrefixesMax) {
    return absl::InvalidArgumentError(
        fmt::format("a PrefixList has more than {} prefixes", kPrefixesMax));
  }
  // Ends with a null pointer, and is not written to.
  std::array<xmlChar*, kPrefixesMax + 1> prefixes{};
  std::ranges::transform(form.prefixes, prefixes.begin(), [](const std::string& prefix) {
    return const_cast<xmlChar*>(reinterpret_cast<const xmlChar*>(prefix.c_str()));
  });
  CanonicalScope scope{element.get(), except ? except->get() : nullptr};
  xmlOutputBuffer* buffer = xmlAllocOutputBuffer(nullptr);
  if (buffer == nullptr) return absl::ResourceExhaustedError("XML buffer");
  const int written = xmlC14NExecute(document.get(), &InScope, &scope, ModeOf(form.kind),
                                     prefixes.data(), 0, buffer);
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
