// The mTLS hosts: look at the client certificate of the handshake and say what it is worth.
#pragma once

#include <string>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/live_state.h"
#include "simulator/gateway/org_view.h"
#include "simulator/gateway/site.h"

namespace devicetrust::gateway {

// What a connection's certificate is worth now.
struct DeviceFinding {
  bool trusted = false;
  reason::v1::Reason reason = reason::v1::REASON_UNSPECIFIED;  // Why not.
  std::string serial;     // Of what was shown, trusted or not; empty without one.
  std::string device_id;  // Of a genuine certificate, revoked or not, as enrollment_id.
  std::string enrollment_id;
};

// The verdict of the handshake, then revocation, both from memory. Called for each request,
// so that neither a cached verdict nor a connection kept open outlives a revocation.
DeviceFinding Inspect(const http::Connection& connection, std::string_view org,
                      const LiveState& live);

class MtlsHost {
 public:
  MtlsHost(const Site& site, const OrgView& view, const LiveState& live, const Clock& clock,
           Random& random)
      : site_(site), view_(view), live_(live), clock_(clock), random_(random) {}

  // GET /challenge?c=…: 303 to the org host with a proof, also when the device is not
  // trusted. GET /check: {"trusted","reason","serial","device_id"}. Request headers are
  // never looked at: whatever a proxy or an attacker writes there proves nothing.
  Task<http::Response> Handle(const http::Request& request);

 private:
  http::Response Route(const http::Request& request) const;
  http::Response Check(const http::Request& request) const;
  http::Response AnswerChallenge(const http::Request& request) const;
  absl::StatusOr<std::string> SignProof(const Challenge& challenge, const DeviceFinding& finding,
                                        const Keyring& keys, WallTime now) const;

  const Site& site_;
  const OrgView& view_;
  const LiveState& live_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace devicetrust::gateway
