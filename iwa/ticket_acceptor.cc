#include "iwa/ticket_acceptor.h"

#include <utility>

#include "libs/kerberos/environment.h"

namespace devicetrust::iwa {
namespace {

class KerberosAcceptor final : public TicketAcceptor {
 public:
  explicit KerberosAcceptor(std::unique_ptr<kerberos::Acceptor> acceptor)
      : acceptor_(std::move(acceptor)) {}

  absl::StatusOr<kerberos::Accepted> Accept(std::span<const std::uint8_t> spnego,
                                            const kerberos::Bindings& bindings) override {
    return acceptor_->Accept(spnego, bindings);
  }

 private:
  const std::unique_ptr<kerberos::Acceptor> acceptor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TicketAcceptor>> NewKerberosAcceptor(const Config& config) {
  if (!config.krb5_config.empty()) DT_RETURN_IF_ERROR(kerberos::UseConfig(config.krb5_config));
  DT_ASSIGN_OR_RETURN(auto acceptor,
                      kerberos::Acceptor::Create({config.keytab, config.replay_cache}));
  return std::make_unique<KerberosAcceptor>(std::move(acceptor));
}

absl::StatusOr<std::unique_ptr<TicketAcceptor>> NewWebAcceptor(const Config& config) {
  kerberos::AcceptorConfig web;
  web.keytab = config.keytab;
  web.replay_cache = config.replay_cache + ".web";
  web.service = config.spn;
  web.binding = kerberos::AcceptorConfig::Binding::kWhenGiven;
  web.refuse_delegated = true;
  DT_ASSIGN_OR_RETURN(auto acceptor, kerberos::Acceptor::Create(web));
  return std::make_unique<KerberosAcceptor>(std::move(acceptor));
}

}  // namespace devicetrust::iwa
