// WS-Federation as a protocol of the sign-on flow: the Web requestor profile, with requests in a
// URL or form (or none, from a link) and tokens by POST. The messages themselves are libs/wsfed's;
// this ties them to apps, transactions and pages.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/random.h"
#include "libs/base/snapshot.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/protocol_front_end.h"
#include "simulator/gateway/sso/site.h"

namespace devicetrust::gateway {

inline constexpr std::string_view kFederationMetadataPath =
    "/FederationMetadata/2007-06/FederationMetadata.xml";

// Who signs tokens, as their issuer and our metadata name it.
std::string WsFedIssuer(const Site& site);

// Thread-safe.
class WsFedFrontEnd final : public ProtocolFrontEnd {
 public:
  // Both outlive this.
  WsFedFrontEnd(const Site& site, Random& random) : site_(site), random_(random) {}

  // GET /FederationMetadata/2007-06/FederationMetadata.xml: us as a security token service, signed.
  http::Response Metadata(const RequestContext& context) const;

  // Whether a request to one of our addresses asks for a sign-out (wsignout1.0; wsignoutcleanup1.0
  // means the same here), and where the person goes on: the app at wreply, if that is registered.
  static bool AsksToSignOut(const http::Request& request);
  std::optional<Link> WayBack(const RequestContext& context) const;

  Protocol protocol() const override { return Protocol::kWsFed; }

  // /sso/wsfed finds the app by wtrealm; /app/ID/sso/wsfed names it, and without wa in its query
  // begins a sign-on that no app asked for.
  bool Serves(std::string_view path) const override;

  std::string StartUrl(const org::v1::App& app) const override;
  // Errors: APP_UNKNOWN and the WSFED_* reasons; INTERNAL_ERROR when the random source fails.
  absl::StatusOr<Begun> Begin(const RequestContext& context, std::string& app_id) const override;
  bool IsStillRegistered(const Transaction& transaction, const org::v1::App& app) const override;
  bool WantsFresherSignIn(const Transaction& transaction, const Session& session,
                          WallTime now) const override;
  // The protocol has no way to say whom the app expects.
  bool ExpectsOtherUser(const Transaction& transaction, const org::v1::App& app,
                        const Session& session) const override;
  absl::StatusOr<http::Response> ReplyAllowed(const RequestContext& context,
                                              const Transaction& transaction,
                                              const org::v1::App& app,
                                              const org::v1::User& user) const override;
  std::string SignOutImageUrl(const org::v1::App& app) const override;
  // The protocol has no answer that says no.
  absl::StatusOr<http::Response> ReplyFailure(const RequestContext& context,
                                              const Transaction& transaction,
                                              const org::v1::App& app,
                                              SsoFailure failure) const override;

 private:
  struct State;  // Of a transaction, packed in Transaction::protocol_state.
  struct SignedMetadata {
    std::shared_ptr<const Keyring> keys;
    std::string xml;
  };

  const Site& site_;
  Random& random_;
  // A signature costs more than the rest of an answer, and anybody may ask.
  mutable Snapshot<SignedMetadata> metadata_;
};

}  // namespace devicetrust::gateway
