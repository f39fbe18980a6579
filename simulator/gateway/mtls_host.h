// The mTLS hosts: look at the client certificate of the handshake and say what it is worth. Uses
// the snapshots, the revocation state and the browser's state; knows no session and no protocol.
#pragma once

#include <string>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_state.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/upstream/org_snapshots.h"
#include "simulator/gateway/upstream/revocation_state.h"

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
                      const RevocationState& revocations);

class MtlsHost {
 public:
  // All outlive this. Thread-safe.
  MtlsHost(const Site& site, const OrgSnapshots& snapshots, const RevocationState& revocations,
           const Clock& clock, Random& random)
      : site_(site),
        snapshots_(snapshots),
        revocations_(revocations),
        clock_(clock),
        random_(random) {}

  // GET /challenge?c=…: 303 to the org host with a proof, also when the device is not
  // trusted. GET /check: {"trusted","reason","serial","device_id"}. Request headers are
  // never looked at: whatever a proxy or an attacker writes there proves nothing.
  Task<http::Response> Handle(const http::Request& request);

 private:
  http::Response Route(const http::Request& request) const;
  // Inspect(), and nobody is trusted while the CA has not said who signs device certificates.
  DeviceFinding Find(const http::Connection& connection) const;
  http::Response Check(const http::Request& request) const;
  http::Response AnswerChallenge(const http::Request& request) const;
  absl::StatusOr<std::string> SignProof(const Challenge& challenge, const DeviceFinding& finding,
                                        const Keyring& keys, WallTime now) const;

  const Site& site_;
  const OrgSnapshots& snapshots_;
  const RevocationState& revocations_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace devicetrust::gateway
