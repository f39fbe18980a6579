#include "simulator/gateway/tickets/ticket_acceptor.h"

#include <utility>

#include "libs/base/encoding.h"
#include "libs/kerberos/acceptor.h"
#include "libs/pki/server_end_point.h"

namespace devicetrust::gateway {
namespace {

class KerberosTickets final : public TicketCheck {
 public:
  explicit KerberosTickets(std::unique_ptr<kerberos::Acceptor> acceptor)
      : acceptor_(std::move(acceptor)) {}

  absl::StatusOr<TicketHolder> Check(std::string_view token,
                                     const http::Connection& connection) const override {
    if (!connection.own_certificate) {
      return absl::FailedPreconditionError("a ticket came over a connection without TLS");
    }
    if (token.size() > kerberos::kSpnegoBytesMax / 3 * 4) {
      return absl::InvalidArgumentError("the ticket is too long to be one");
    }
    DT_ASSIGN_OR_RETURN(const Bytes spnego, Base64Decode(token));
    DT_ASSIGN_OR_RETURN(
        kerberos::Accepted accepted,
        acceptor_->Accept(spnego, pki::ServerEndPointBindings(*connection.own_certificate)));
    if (accepted.identity.is_computer) {
      return absl::PermissionDeniedError("the ticket is a computer's, and no person's");
    }
    return TicketHolder{std::move(accepted.identity.account_sid),
                        std::move(accepted.identity.realm),
                        std::move(accepted.identity.service_realm), Base64Encode(accepted.reply)};
  }

 private:
  const std::unique_ptr<kerberos::Acceptor> acceptor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TicketCheck>> NewTicketCheck(const TicketKeys& keys) {
  kerberos::AcceptorConfig config;
  config.keytab = keys.keytab;
  config.replay_cache = keys.replay_cache;
  config.service = "HTTP/" + keys.host;
  config.binding = kerberos::AcceptorConfig::Binding::kWhenGiven;
  config.refuse_delegated = true;
  DT_ASSIGN_OR_RETURN(auto acceptor, kerberos::Acceptor::Create(config));
  return std::make_unique<KerberosTickets>(std::move(acceptor));
}

}  // namespace devicetrust::gateway
