#include "agent/kerberos_negotiation.h"

#include <fmt/format.h>

namespace devicetrust::agent {
namespace {

class KerberosNegotiation final : public Negotiation {
 public:
  KerberosNegotiation(kerberos::Credentials credentials, kerberos::Initiator initiator)
      : credentials_(std::move(credentials)), initiator_(std::move(initiator)) {}

  const Bytes& token() const override { return initiator_.token(); }
  absl::Status Finish(std::span<const std::uint8_t> reply) override {
    return initiator_.Finish(reply);
  }
  std::string Describe() const override {
    std::string text = "tickets of " + credentials_.principal() + ":";
    for (const kerberos::Ticket& ticket : credentials_.tickets()) {
      text += fmt::format(" {} (session key type {}, {} s)", ticket.service, ticket.enctype,
                          UnixSeconds(ticket.valid_until) - UnixSeconds(ticket.valid_from));
    }
    return text;
  }

 private:
  kerberos::Credentials credentials_;
  kerberos::Initiator initiator_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Negotiation>> StartKerberos(kerberos::Credentials credentials,
                                                           std::string_view service,
                                                           const kerberos::Bindings& bindings) {
  DT_ASSIGN_OR_RETURN(kerberos::Initiator initiator,
                      kerberos::Initiator::Start(credentials, service, bindings));
  return std::make_unique<KerberosNegotiation>(std::move(credentials), std::move(initiator));
}

}  // namespace devicetrust::agent
