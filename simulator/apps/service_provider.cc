#include "simulator/apps/service_provider.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>

#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/base/utc_time.h"
#include "libs/http/form.h"

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kPendingMax = 100'000;
constexpr std::chrono::minutes kPendingFor{10};

std::string AuthnRequest(const ServiceProviderConfig& sp, const std::string& request_id,
                         const std::string& destination, WallTime now) {
  return fmt::format(R"(<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol")"
                     R"( xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{}" Version="2.0")"
                     R"( IssueInstant="{}" Destination="{}" AssertionConsumerServiceURL="{}")"
                     R"( ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST">)"
                     R"(<saml:Issuer>{}</saml:Issuer></samlp:AuthnRequest>)",
                     request_id, FormatUtc(now), http::EscapeHtml(destination),
                     http::EscapeHtml(sp.acs_url), http::EscapeHtml(sp.entity_id));
}

// Raw DEFLATE (RFC 1951), as the Redirect binding wants it (saml-bindings-2.0, 3.4.4.1).
absl::StatusOr<Bytes> Deflate(const std::string& text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return absl::InternalError("deflateInit2");
  }
  Bytes out(deflateBound(&stream, text.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return absl::InternalError("deflate");
  return out;
}

}  // namespace

ServiceProvider::ServiceProvider(ServiceProviderConfig config, const Clock& clock, Random& random)
    : config_(std::move(config)), clock_(clock), random_(random) {}

std::string ServiceProvider::Metadata() const {
  return fmt::format(
      R"(<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{}">)"
      "\n"
      R"(  <md:SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true")"
      R"( protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">)"
      "\n"
      R"(    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress)"
      R"(</md:NameIDFormat>)"
      "\n"
      R"(    <md:AssertionConsumerService)"
      R"( Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="{}" index="0")"
      R"( isDefault="true"/>)"
      "\n  </md:SPSSODescriptor>\n</md:EntityDescriptor>\n",
      http::EscapeHtml(config_.entity_id), http::EscapeHtml(config_.acs_url));
}

absl::StatusOr<ServiceProvider::SignOn> ServiceProvider::StartSignOn(Binding binding,
                                                                     std::string relay_state) {
  const std::string& destination =
      binding == Binding::kRedirect ? idp_.redirect_url : idp_.post_url;
  if (destination.empty()) {
    return absl::FailedPreconditionError("the identity provider has no address of that binding");
  }
  const auto new_id = [this] {
    const MutexLock lock(mutex_);  // The random source of a run is shared, too.
    return NewRandomHex(16, random_);
  };
  DT_ASSIGN_OR_RETURN(const std::string id, new_id());
  SignOn sign_on{binding, "_" + id, std::move(relay_state), destination, ""};
  const std::string xml = AuthnRequest(config_, sign_on.request_id, destination, clock_.Now());
  if (binding == Binding::kRedirect) {
    DT_ASSIGN_OR_RETURN(const Bytes deflated, Deflate(xml));
    sign_on.url += destination.find('?') == std::string::npos ? "?" : "&";
    sign_on.url += http::EncodeParameters(
        {{"SAMLRequest", Base64Encode(deflated)}, {"RelayState", sign_on.relay_state}});
  } else {
    sign_on.form_body = http::EncodeParameters(
        {{"SAMLRequest", Base64Encode(AsBytes(xml))}, {"RelayState", sign_on.relay_state}});
  }

  const WallTime now = clock_.Now();
  const MutexLock lock(mutex_);
  if (pending_.size() >= kPendingMax) {
    std::erase_if(pending_, [now](const auto& p) { return p.second.expires_at < now; });
    if (pending_.size() >= kPendingMax) {
      return absl::ResourceExhaustedError("too many sign-ins wait for an answer");
    }
  }
  pending_[sign_on.relay_state] = Pending{sign_on.request_id, now + kPendingFor};
  return sign_on;
}

absl::StatusOr<Assertion> ServiceProvider::FinishSignOn(std::string_view saml_response_base64,
                                                        const std::string& relay_state) {
  const WallTime now = clock_.Now();
  Pending pending;
  {
    const MutexLock lock(mutex_);
    auto found = pending_.extract(relay_state);
    if (found.empty()) return absl::UnauthenticatedError("no sign-in waits for this response");
    pending = std::move(found.mapped());
  }
  if (pending.expires_at < now) return absl::UnauthenticatedError("the sign-in took too long");
  DT_ASSIGN_OR_RETURN(const Bytes xml, Base64Decode(saml_response_base64));
  return VerifyResponse(ToString(xml),
                        ResponseRules{idp_.entity_id, idp_.signing_keys, config_.entity_id,
                                      config_.acs_url, pending.request_id, now});
}

}  // namespace devicetrust::simulator
