#include "simulator/apps/xml.h"

#include <fmt/format.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <set>

namespace devicetrust::simulator {
namespace {

std::string_view View(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

const xmlChar* Chars(const std::string& text) {
  return reinterpret_cast<const xmlChar*>(text.c_str());
}

struct XmlFree {
  void operator()(xmlChar* text) const noexcept { xmlFree(text); }
};
using XmlText = std::unique_ptr<xmlChar, XmlFree>;

// The next node in document order below `top`.
xmlNode* Next(xmlNode* node, const xmlNode* top) {
  if (node->children != nullptr && node->type == XML_ELEMENT_NODE) return node->children;
  while (node != top && node->next == nullptr) node = node->parent;
  return node == top ? nullptr : node->next;
}

// Everything that the header promises to refuse.
absl::Status CheckNodes(xmlNode* root) {
  std::set<std::string, std::less<>> ids;
  for (xmlNode* node = root; node != nullptr; node = Next(node, root)) {
    switch (node->type) {
      case XML_TEXT_NODE:
      case XML_CDATA_SECTION_NODE:
        break;
      case XML_ELEMENT_NODE:
        for (const xmlAttr* a = node->properties; a != nullptr; a = a->next) {
          if (View(a->name) != "ID" && View(a->name) != "Id" && View(a->name) != "id" &&
              View(a->name) != "AssertionID") {
            continue;
          }
          const XmlText id(xmlNodeListGetString(node->doc, a->children, 1));
          if (!ids.emplace(View(id.get())).second) {
            return absl::InvalidArgumentError("XML has two elements of one ID");
          }
        }
        break;
      default:
        return absl::InvalidArgumentError("XML has a comment, entity or processing instruction");
    }
  }
  return absl::OkStatus();
}

struct Visibility {
  const xmlNode* element;
  const xmlNode* except;
};

// libxml2's callback. Attributes and namespaces go with their element.
int IsVisible(void* context, xmlNode* node, xmlNode* parent) noexcept {
  const auto& visibility = *static_cast<const Visibility*>(context);
  const bool of_parent = node->type == XML_NAMESPACE_DECL || node->type == XML_ATTRIBUTE_NODE;
  for (const xmlNode* at = of_parent ? parent : node; at != nullptr; at = at->parent) {
    if (at == visibility.except) return 0;
    if (at == visibility.element) return 1;
  }
  return 0;
}

}  // namespace

bool Element::Is(std::string_view ns, std::string_view name) const {
  return View(node_->name) == name && node_->ns != nullptr && View(node_->ns->href) == ns;
}

std::optional<std::string> Element::Attribute(std::string_view name) const {
  const std::string wanted(name);
  const XmlText value(xmlGetNoNsProp(node_, Chars(wanted)));
  if (value == nullptr) return std::nullopt;
  return std::string(View(value.get()));
}

std::string Element::Text() const {
  const XmlText content(xmlNodeGetContent(node_));
  constexpr std::string_view kBlank = " \t\r\n";
  std::string_view text = View(content.get());
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

std::vector<Element> Element::Children() const {
  std::vector<Element> found;
  for (xmlNode* child = node_->children; child != nullptr; child = child->next) {
    if (child->type == XML_ELEMENT_NODE) found.emplace_back(child);
  }
  return found;
}

std::vector<Element> Element::Children(std::string_view ns, std::string_view name) const {
  std::vector<Element> found;
  for (const Element child : Children()) {
    if (child.Is(ns, name)) found.push_back(child);
  }
  return found;
}

std::vector<Element> Element::Descendants(std::string_view ns, std::string_view name) const {
  std::vector<Element> found;
  for (xmlNode* node = Next(node_, node_); node != nullptr; node = Next(node, node_)) {
    if (node->type == XML_ELEMENT_NODE && Element(node).Is(ns, name)) found.emplace_back(node);
  }
  return found;
}

absl::StatusOr<Element> Element::Only(std::string_view ns, std::string_view name) const {
  const std::vector<Element> found = Children(ns, name);
  if (found.size() != 1) {
    return absl::InvalidArgumentError(
        fmt::format("{} has {} elements {}, not one", View(node_->name), found.size(), name));
  }
  return found.front();
}

absl::StatusOr<Document> Document::Parse(std::string_view xml) {
  if (xml.empty() || xml.size() > kBytesMax) {
    return absl::InvalidArgumentError("XML must be 1 byte to 512 KiB");
  }
  constexpr int kOptions = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
  Document document(
      xmlReadMemory(xml.data(), static_cast<int>(xml.size()), nullptr, nullptr, kOptions));
  const xmlDoc* const parsed = document.document_.get();
  if (parsed == nullptr) return absl::InvalidArgumentError("XML is not well-formed");
  if (parsed->intSubset != nullptr || parsed->extSubset != nullptr) {
    return absl::InvalidArgumentError("XML has a document type");
  }
  for (const xmlNode* node = parsed->children; node != nullptr; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) {
      return absl::InvalidArgumentError("XML has a comment, entity or processing instruction");
    }
  }
  DT_RETURN_IF_ERROR(CheckNodes(document.root().get()));
  return document;
}

Element Document::root() const { return Element(xmlDocGetRootElement(document_.get())); }

std::vector<Element> Document::Find(std::string_view ns, std::string_view name) const {
  std::vector<Element> found = root().Descendants(ns, name);
  if (root().Is(ns, name)) found.insert(found.begin(), root());
  return found;
}

absl::StatusOr<std::string> Document::Canonical(Element element, _xmlNode* except,
                                                const std::vector<std::string>& prefixes) const {
  std::vector<const xmlChar*> inclusive;
  for (const std::string& prefix : prefixes) inclusive.push_back(Chars(prefix));
  inclusive.push_back(nullptr);

  struct BufferClose {
    void operator()(xmlOutputBuffer* buffer) const noexcept { xmlOutputBufferClose(buffer); }
  };
  const std::unique_ptr<xmlOutputBuffer, BufferClose> out(xmlAllocOutputBuffer(nullptr));
  Visibility visibility{element.get(), except};
  const int written =
      xmlC14NExecute(document_.get(), &IsVisible, &visibility, XML_C14N_EXCLUSIVE_1_0,
                     const_cast<xmlChar**>(inclusive.data()), 0, out.get());
  if (written < 0) return absl::InvalidArgumentError("XML has no canonical form");
  return std::string(View(xmlOutputBufferGetContent(out.get())), 0,
                     xmlOutputBufferGetSize(out.get()));
}

void Document::Free::operator()(_xmlDoc* document) const noexcept { xmlFreeDoc(document); }

}  // namespace devicetrust::simulator
