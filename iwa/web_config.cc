#include "iwa/web_config.h"

#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/printable.h"

namespace devicetrust::iwa {
namespace {

constexpr std::size_t kElementsMax = 10'000;

using Document = std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)>;

std::string Text(const xmlChar* text) {
  return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
}

void IgnoreError(void* /*context*/, xmlErrorPtr /*error*/) {}

struct Element {
  xmlNode* node = nullptr;

  std::string name() const { return Text(node->name); }
  int line() const { return static_cast<int>(xmlGetLineNo(node)); }
  bool IsIn(std::string_view parent) const {
    return node->parent != nullptr && node->parent->type == XML_ELEMENT_NODE &&
           Text(node->parent->name) == parent;
  }
  bool IsBelow(const Element& above) const {
    for (const xmlNode* at = node->parent; at != nullptr; at = at->parent) {
      if (at == above.node) return true;
    }
    return false;
  }
  std::optional<std::string> Attribute(const char* name) const {
    xmlChar* const value = xmlGetNoNsProp(node, reinterpret_cast<const xmlChar*>(name));
    if (value == nullptr) return std::nullopt;
    std::string text = Text(value);
    xmlFree(value);
    return text;
  }
};

class Checker {
 public:
  Checker(xmlNode* root, std::string_view site) : site_(site) {
    for (xmlNode* node = root; node != nullptr && elements_.size() < kElementsMax;) {
      if (node->type == XML_ELEMENT_NODE) elements_.push_back({node});
      if (node->type == XML_ELEMENT_NODE && node->children != nullptr) {
        node = node->children;
        continue;
      }
      while (node != root && node->next == nullptr) node = node->parent;
      node = node == root ? nullptr : node->next;
    }
  }

  WebConfigReport Check() {
    const std::vector<Element> models = Named("system.serviceModel", {});
    if (models.empty()) {
      Fault(elements_.front(), "<system.serviceModel> is missing",
            "Add the section with bindings, services and behaviors.");
    }
    if (models.size() > 1) {
      Fault(models[1], "<system.serviceModel> is there twice", "Replace the first, add no second.");
    }
    if (!models.empty()) CheckService();
    CheckSite();
    std::ranges::stable_sort(report_.faults, {}, &WebConfigFault::line);
    return std::move(report_);
  }

 private:
  void Fault(const Element& at, std::string what, std::string remedy) {
    report_.faults.push_back({at.line(), std::move(what), std::move(remedy)});
  }

  // Those of that name; directly in an element named `parent` unless that is empty.
  std::vector<Element> Named(std::string_view name, std::string_view parent) const {
    std::vector<Element> found;
    for (const Element& element : elements_) {
      if (element.name() == name && (parent.empty() || element.IsIn(parent))) {
        found.push_back(element);
      }
    }
    return found;
  }

  // The attribute must be `wanted`, as the runtime reads booleans; absent is as `wanted`.
  void MustBe(const Element& element, const char* attribute, bool wanted, std::string_view why) {
    const std::optional<std::string> value = element.Attribute(attribute);
    const std::string_view word = wanted ? "true" : "false";
    if (!value || EqualIgnoringCase(*value, word)) return;
    Fault(element,
          fmt::format("{}=\"{}\" of <{}>: {}", attribute, Printable(*value), element.name(), why),
          fmt::format("Write {}=\"{}\".", attribute, word));
  }

  void CheckService() {
    std::vector<Element> services;
    for (const Element& service : Named("service", "services")) {
      if (service.Attribute("name").value_or("").find("DeviceTrust") != std::string::npos) {
        services.push_back(service);
      }
    }
    if (services.empty()) {
      Fault(Named("system.serviceModel", {}).front(), "no <service> is Device Trust's",
            "Add the service whose name has DeviceTrust in it, with its endpoint.");
      return;
    }
    if (services.size() > 1) {
      Fault(services[1], "two services are Device Trust's", "Leave one of them.");
    }
    CheckEndpoints(services.front());
    CheckBehavior(services.front());
  }

  void CheckEndpoints(const Element& service) {
    std::vector<Element> web;
    std::vector<Element> metadata;
    for (const Element& endpoint : Named("endpoint", "service")) {
      if (!endpoint.IsBelow(service)) continue;
      const std::string binding = endpoint.Attribute("binding").value_or("");
      if (binding.starts_with("mex") || endpoint.Attribute("address") == "mex") {
        metadata.push_back(endpoint);
      } else if (binding == "webHttpBinding") {
        web.push_back(endpoint);
      } else {
        Fault(endpoint, fmt::format("an endpoint of binding \"{}\"", Printable(binding)),
              "Use webHttpBinding for Device Trust.");
      }
    }
    if (web.empty()) {
      Fault(service, "the service has no endpoint of webHttpBinding",
            "Add the endpoint with its bindingConfiguration.");
      return;
    }
    if (web.size() > 1) Fault(web[1], "a second endpoint of webHttpBinding", "Leave one of them.");
    CheckBinding(web.front());
    if (report_.binding == "https") {
      for (const Element& endpoint : metadata) {
        Fault(endpoint, "the metadata endpoint (mex) goes with the HTTP binding alone",
              "Remove the endpoint.");
      }
    }
  }

  void CheckBinding(const Element& endpoint) {
    const std::string wanted = endpoint.Attribute("bindingConfiguration").value_or("");
    std::optional<Element> binding;
    for (const Element& candidate : Named("binding", "webHttpBinding")) {
      if (candidate.Attribute("name").value_or("") == wanted) binding = candidate;
    }
    if (wanted.empty() || !binding) {
      Fault(endpoint,
            wanted.empty() ? "the endpoint names no bindingConfiguration"
                           : fmt::format("no binding is named \"{}\"", Printable(wanted)),
            "Name one of the bindings of <webHttpBinding>.");
      return;
    }
    CheckSecurity(*binding);
    if (report_.binding.empty() || report_.binding == site_) return;
    Fault(endpoint,
          fmt::format("binding \"{}\" is for {}, and the site is reached by {}", Printable(wanted),
                      report_.binding, site_),
          site_ == "https" ? "Name the binding of mode Transport."
                           : "Name the binding of mode TransportCredentialOnly.");
  }

  void CheckSecurity(const Element& binding) {
    std::optional<Element> security;
    for (const Element& candidate : Named("security", "binding")) {
      if (candidate.IsBelow(binding)) security = candidate;
    }
    const std::string mode = security ? security->Attribute("mode").value_or("") : "";
    if (mode == "Transport") {
      report_.binding = "https";
    } else if (mode == "TransportCredentialOnly") {
      report_.binding = "http";
    } else {
      Fault(security.value_or(binding),
            fmt::format("security mode \"{}\" asks nobody who they are", Printable(mode)),
            "Use Transport with HTTPS, TransportCredentialOnly with HTTP.");
      return;
    }
    bool windows = false;
    for (const Element& transport : Named("transport", "security")) {
      if (!transport.IsBelow(binding)) continue;
      windows = transport.Attribute("clientCredentialType").value_or("") == "Windows";
      if (windows) continue;
      Fault(transport,
            fmt::format("clientCredentialType=\"{}\" is not Windows authentication",
                        Printable(transport.Attribute("clientCredentialType").value_or(""))),
            "Write clientCredentialType=\"Windows\".");
      return;
    }
    if (!windows) {
      Fault(*security, "the binding says nothing of credentials",
            "Add <transport clientCredentialType=\"Windows\"/>.");
    }
  }

  void CheckBehavior(const Element& service) {
    const std::string name = service.Attribute("behaviorConfiguration").value_or("");
    std::optional<Element> behavior;
    for (const Element& candidate : Named("behavior", "serviceBehaviors")) {
      if (candidate.Attribute("name").value_or("") == name) behavior = candidate;
    }
    if (!behavior) {
      if (name.empty()) return;  // What is usual is what it must be.
      Fault(service, fmt::format("no service behavior is named \"{}\"", Printable(name)),
            "Name one of <serviceBehaviors>.");
      return;
    }
    for (const Element& element : elements_) {
      if (!element.IsBelow(*behavior)) continue;
      const std::string kind = element.name();
      if (kind == "serviceMetadata") {
        MustBe(element, "httpGetEnabled", false, "strangers read the service's metadata");
        MustBe(element, "httpsGetEnabled", false, "strangers read the service's metadata");
      } else if (kind == "serviceDebug") {
        MustBe(element, "includeExceptionDetailInFaults", false,
               "faults tell strangers of the inside");
      } else if (kind == "windowsAuthentication") {
        MustBe(element, "allowAnonymousLogons", false, "nobody must be let in without a name");
        MustBe(element, "includeWindowsGroups", true, "groups are needed");
      }
    }
  }

  // Settings of the web server itself, where the file has them.
  void CheckSite() {
    for (const Element& element : Named("anonymousAuthentication", "authentication")) {
      MustBe(element, "enabled", false, "nobody must be let in without a name");
    }
    for (const Element& element : Named("windowsAuthentication", "authentication")) {
      MustBe(element, "enabled", true, "Windows authentication is needed");
    }
    for (const Element& element : Named("authentication", "system.web")) {
      const std::optional<std::string> mode = element.Attribute("mode");
      if (!mode || *mode == "Windows") continue;
      Fault(element, fmt::format("authentication mode \"{}\"", Printable(*mode)),
            "Write mode=\"Windows\".");
    }
    if (site_ != "https") return;
    for (const Element& element : Named("access", "security")) {
      const std::string flags = element.Attribute("sslFlags").value_or("Ssl");
      bool required = false;
      for (std::size_t at = 0; at <= flags.size();) {
        const std::size_t end = std::min(flags.find(',', at), flags.size());
        std::string_view flag = std::string_view(flags).substr(at, end - at);
        while (flag.starts_with(' ')) flag.remove_prefix(1);
        while (flag.ends_with(' ')) flag.remove_suffix(1);
        required = required || EqualIgnoringCase(flag, "Ssl");
        at = end + 1;
      }
      if (required) continue;
      Fault(element, fmt::format("sslFlags=\"{}\" does not require SSL", Printable(flags)),
            "Select Require SSL: sslFlags=\"Ssl\".");
    }
  }

  const std::string site_;
  std::vector<Element> elements_;  // In the order of the file.
  WebConfigReport report_;
};

WebConfigReport Unreadable(int line, std::string what, std::string remedy) {
  WebConfigReport report;
  report.faults.push_back({line, std::move(what), std::move(remedy)});
  return report;
}

}  // namespace

WebConfigReport CheckWebConfig(std::string_view text, std::string_view site) {
  static std::once_flag once;
  std::call_once(once, [] { xmlInitParser(); });
  xmlSetStructuredErrorFunc(nullptr, &IgnoreError);  // Of this thread: it would write to stderr.
  if (text.size() > kWebConfigBytesMax) {
    return Unreadable(1, "the file is longer than 256 KiB", "Is it a web.config?");
  }
  xmlResetLastError();
  const Document document(xmlReadMemory(text.data(), static_cast<int>(text.size()), nullptr,
                                        nullptr, XML_PARSE_NONET | XML_PARSE_NOCDATA),
                          &xmlFreeDoc);
  if (document == nullptr) {
    const xmlErrorPtr error = xmlGetLastError();
    std::string why = error == nullptr || error->message == nullptr ? "" : error->message;
    while (why.ends_with('\n')) why.pop_back();
    return Unreadable(error == nullptr ? 1 : std::max(error->line, 1),
                      fmt::format("not well-formed: {}", Printable(why)), "Correct the XML there.");
  }
  if (document->intSubset != nullptr) {
    return Unreadable(1, "the file declares a document type", "Remove <!DOCTYPE>.");
  }
  xmlNode* const root = xmlDocGetRootElement(document.get());
  const std::string name = root == nullptr ? "" : Text(root->name);
  if (name != "configuration" && name != "system.serviceModel") {
    return Unreadable(root == nullptr ? 1 : static_cast<int>(xmlGetLineNo(root)),
                      fmt::format("the root element is <{}>", Printable(name)),
                      "A web.config begins with <configuration>.");
  }
  return Checker(root, site).Check();
}

}  // namespace devicetrust::iwa
