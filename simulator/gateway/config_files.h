// What the files of a Config hold, read and judged together: certificates that are for their hosts,
// keys that belong to them and are nobody else's to read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "libs/http/server.h"
#include "libs/pki/certificate.h"
#include "libs/service/component.h"
#include "simulator/gateway/config.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/sso/ticket_sign_in.h"

namespace devicetrust::gateway {

// What is read again when a file of it changes.
struct Shown {
  pki::Identity org;
  pki::Identity mtls;
  std::vector<pki::Identity> mtls_also;
  std::string edge_ca_bundle;
};

// What the files of a Config hold.
struct Files {
  Shown shown;
  SiteMark mark;
  http::Networks proxies;                       // That speak the PROXY protocol.
  http::Networks header_proxies;                // That name their client in a field.
  http::Networks mail_hosts;                    // The same at the endpoint for mail clients.
  std::unique_ptr<const TicketSignIn> tickets;  // Null: none are taken.
  service::Component component;
};

// Errors name the option.
absl::StatusOr<Files> LoadFiles(const Config& config);
absl::StatusOr<Shown> LoadShown(const Config& config);

// Changes when a file does that LoadShown() or the calls of the org and the CA use.
std::string StampOf(const Config& config);

// The names of --mtls-also, once LoadShown() took it.
std::vector<std::string> FurtherHosts(const Config& config);

// When these end, for metrics.
void NoteExpiry(const Shown& shown);

}  // namespace devicetrust::gateway
