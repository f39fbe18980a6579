// Where an administrator finds the org and the CA, and as whom to call them.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::admin {

// One internal listener. The PEM fields are file contents, not paths.
struct Endpoint {
  std::string address;          // host:port; empty: not known, and calls to it say so.
  std::string server_name;      // Expected in the server's certificate.
  std::string trust_pem;        // The deployment CA.
  std::string certificate_pem;  // The administrator's certificate, chain included.
  std::string key_pem;
};

struct Endpoints {
  Endpoint org;
  Endpoint ca;
};

// The same as a deployment's administrator gives it: by flags or in a configuration file. The
// last three are paths.
struct EndpointOptions {
  std::string org_address = {};
  std::string org_server_name = "policy.devicetrust.internal";
  std::string ca_address = {};
  std::string ca_server_name = "ca.devicetrust.internal";
  std::string deployment_ca = {};
  std::string certificate = {};
  std::string key = {};
};

// Reads the `grpc` part of an endpoints.json as `dt-sim up` writes it: the entries `policy`
// and `ca`, each with an `internal` listener. PEM members are paths (relative ones from the
// file's folder) or the PEM itself.
//
// Errors: as ReadFile(); kInvalidArgument: no JSON, or a member is missing (named).
absl::StatusOr<Endpoints> ReadEndpointsFile(const std::string& path);

// Reads the three files. Errors: as ReadFile(), RefuseIfShared() for the key;
// kInvalidArgument: one of the three is missing (named by its flag).
absl::StatusOr<Endpoints> LoadEndpoints(const EndpointOptions& options);

// Who the certificate says the administrator is: "admin:ada" from urn:devicetrust:ORG:admin:ada.
// "admin" when it names nobody, which the server refuses anyway.
std::string AdminName(std::string_view certificate_pem);

}  // namespace devicetrust::admin
