#include "libs/admin/endpoints.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "libs/admin/json_text.h"
#include "libs/base/files.h"
#include "libs/pki/certificate.h"

namespace devicetrust::admin {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kPemStart = "-----BEGIN ";
constexpr std::size_t kEndpointsBytesMax = 64 * 1024 * 1024;  // It lists every device of a run.

absl::StatusOr<std::string> TextMember(const ordered_json& object, const char* name,
                                       const std::string& where) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_string()) {
    return absl::InvalidArgumentError(fmt::format("{} has no text member \"{}\"", where, name));
  }
  return member->get<std::string>();
}

// The member itself when it is PEM, else the content of the file that it names.
absl::StatusOr<std::string> PemMember(const ordered_json& object, const char* name,
                                      const std::string& where,
                                      const std::filesystem::path& folder) {
  DT_ASSIGN_OR_RETURN(std::string text, TextMember(object, name, where));
  if (text.starts_with(kPemStart)) return text;
  return ReadFile((folder / text).string());
}

absl::StatusOr<Endpoint> ReadListener(const ordered_json& grpc, const char* service,
                                      const std::string& path) {
  const std::string where = fmt::format("{}: grpc.{}.internal", path, service);
  const auto found = grpc.find(service);
  if (found == grpc.end() || !found->is_object() || !found->contains("internal") ||
      !(*found)["internal"].is_object()) {
    return absl::InvalidArgumentError(where + " is missing");
  }
  const ordered_json& listener = (*found)["internal"];
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();

  Endpoint endpoint;
  DT_ASSIGN_OR_RETURN(endpoint.address, TextMember(listener, "address", where));
  DT_ASSIGN_OR_RETURN(endpoint.server_name, TextMember(listener, "server_name", where));
  DT_ASSIGN_OR_RETURN(endpoint.trust_pem, PemMember(listener, "ca_pem", where, folder));
  DT_ASSIGN_OR_RETURN(endpoint.certificate_pem, PemMember(listener, "cert_pem", where, folder));
  DT_ASSIGN_OR_RETURN(endpoint.key_pem, PemMember(listener, "key_pem", where, folder));
  return endpoint;
}

}  // namespace

absl::StatusOr<Endpoints> ReadEndpointsFile(const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kEndpointsBytesMax));
  DT_ASSIGN_OR_RETURN(const ordered_json document, ParseJson(path, text));
  const auto grpc = document.find("grpc");
  if (grpc == document.end() || !grpc->is_object()) {
    return absl::InvalidArgumentError(path + " has no member \"grpc\"; is it an endpoints.json?");
  }
  Endpoints endpoints;
  DT_ASSIGN_OR_RETURN(endpoints.org, ReadListener(*grpc, "policy", path));
  DT_ASSIGN_OR_RETURN(endpoints.ca, ReadListener(*grpc, "ca", path));
  return endpoints;
}

absl::StatusOr<Endpoints> LoadEndpoints(const EndpointOptions& options) {
  for (const auto& [value, name] :
       {std::pair(&options.deployment_ca, "--deployment-ca"),
        std::pair(&options.certificate, "--cert"), std::pair(&options.key, "--key")}) {
    if (value->empty()) {
      return absl::InvalidArgumentError(
          fmt::format("{} is missing; give it, or --run-dir of a running environment", name));
    }
  }
  Endpoint common;
  DT_ASSIGN_OR_RETURN(common.trust_pem, ReadFile(options.deployment_ca));
  DT_ASSIGN_OR_RETURN(common.certificate_pem, ReadFile(options.certificate));
  DT_RETURN_IF_ERROR(RefuseIfShared(options.key));
  DT_ASSIGN_OR_RETURN(common.key_pem, ReadFile(options.key));

  Endpoints endpoints{.org = common, .ca = common};
  endpoints.org.address = options.org_address;
  endpoints.org.server_name = options.org_server_name;
  endpoints.ca.address = options.ca_address;
  endpoints.ca.server_name = options.ca_server_name;
  return endpoints;
}

std::string AdminName(std::string_view certificate_pem) {
  const auto chain = pki::CertificatesFromPem(certificate_pem);
  if (!chain.ok()) return "admin";
  for (const std::string& uri : chain->front().uris()) {
    if (!uri.starts_with("urn:devicetrust:")) continue;
    const std::size_t at = uri.find(":admin:");
    if (at != std::string::npos) return uri.substr(at + 1);
  }
  return "admin";
}

}  // namespace devicetrust::admin
