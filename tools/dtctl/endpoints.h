// Where dtctl finds the org and the CA, and as whom it calls.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::ctl {

// One internal listener. The PEM fields are file contents, not paths.
struct Endpoint {
  std::string address;          // host:port
  std::string server_name;      // Expected in the server's certificate.
  std::string trust_pem;        // The deployment CA.
  std::string certificate_pem;  // The admin's certificate, chain included.
  std::string key_pem;
};

struct Endpoints {
  Endpoint org;
  Endpoint ca;
};

// What the flags or the --config file say when there is no endpoints file; the last three are
// paths. Addresses may be empty: verbs that need one say so.
struct EndpointFlags {
  std::string org_address = {};
  std::string ca_address = {};
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
// kInvalidArgument: a file flag is missing (named).
absl::StatusOr<Endpoints> EndpointsFromFlags(const EndpointFlags& flags);

// Who the certificate says the admin is: "admin:ada" from urn:devicetrust:ORG:admin:ada.
// "admin" when it names nobody, which the server will refuse anyway.
std::string AdminName(std::string_view certificate_pem);

}  // namespace devicetrust::ctl
