#include "simulator/scenario/story.h"

#include <fmt/format.h>

#include "libs/base/utc_time.h"
#include "libs/base/wait_until.h"
#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/credentials.h"
#include "libs/rpc/error.h"
#include "simulator/deployment/app_suite.h"

namespace devicetrust::simulator {
namespace {

std::string Trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \n") + 1 - begin);
}

std::string GroupNames(const AccountView& accounts, const kerberos::Identity& identity) {
  const std::uint32_t realm = accounts.FindRealm(identity.realm).value_or(0);
  std::string names;
  for (const std::string& sid : identity.group_sids) {
    const auto rid = static_cast<std::uint32_t>(std::stoul(sid.substr(sid.rfind('-') + 1)));
    const Group* group = accounts.FindGroup(realm, rid);
    std::string name = group == nullptr ? sid : group->name.str();
    if (rid == kRidDomainUsers) name = "Domain Users";
    if (rid == kRidDomainComputers) name = "Domain Computers";
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

std::string_view TellStep(Step step) {
  switch (step) {
    case Step::kRequest:
      return "browser: GET or redirect";
    case Step::kPassword:
      return "password checked by an LDAP bind; session opened";
    case Step::kChallenge:
      return "device challenge: mutual TLS with the mTLS host, proof taken";
    case Step::kDecision:
      return "proof back at the org, which evaluates the app's rules";
    case Step::kFactor:
      return "six digits of the authenticator taken";
    case Step::kVerify:
      return "the app verified signature, audience, recipient and times";
  }
  return "";
}

}  // namespace

void Story::Tell(std::string_view line, std::string_view details) {
  const auto since =
      std::chrono::duration_cast<std::chrono::microseconds>(Monotonic::now() - begun_);
  std::string text = fmt::format("{}  {}\n", style_.Dim(StoryTime(since)), line);
  while (!details.empty()) {
    const std::size_t end = std::min(details.find('\n'), details.size());
    text += fmt::format("            {}\n", style_.Dim(std::string(details.substr(0, end))));
    details.remove_prefix(std::min(end + 1, details.size()));
  }
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

absl::Status Story::TellTicket(const std::string& principal) {
  Forests& forests = environment_.forests();
  DT_ASSIGN_OR_RETURN(const kerberos::Key key, forests.KeyOf(principal));
  DT_ASSIGN_OR_RETURN(const kerberos::Credentials credentials,
                      kerberos::Credentials::FromKey(principal, key));
  const kerberos::Bindings bindings{'s', 't', 'o', 'r', 'y'};
  DT_ASSIGN_OR_RETURN(const kerberos::Initiator initiator,
                      kerberos::Initiator::Start(credentials, environment_.iwa_spn(), bindings));
  DT_ASSIGN_OR_RETURN(const std::unique_ptr<kerberos::Acceptor> acceptor,
                      kerberos::Acceptor::Create({environment_.iwa_keytab(),
                                                  environment_.iwa_keytab() + ".story.rcache2"}));
  DT_ASSIGN_OR_RETURN(const kerberos::Accepted accepted,
                      acceptor->Accept(initiator.token(), bindings));
  std::string tickets;
  for (const kerberos::Ticket& ticket : credentials.tickets()) {
    tickets += fmt::format("ticket {}, session key type {}, until {}\n", ticket.service,
                           ticket.enctype, FormatUtc(ticket.valid_until));
  }
  Tell(fmt::format("Kerberos: {} has tickets; the PAC inside says who that is",
                   accepted.identity.principal),
       tickets + fmt::format("PAC: {}, groups {}, control bits 0x{:x}",
                             accepted.identity.account_sid,
                             GroupNames(forests.view(), accepted.identity),
                             accepted.identity.user_account_control));
  return absl::OkStatus();
}

absl::Status Story::Enroll(EnrollPhase& phase, std::size_t device) {
  const FleetDevice& computer = fleet_.devices[device];
  const FleetUser& user = fleet_.users[computer.user];
  std::fputs(
      fmt::format("{}\n", style_.Bold(fmt::format("One computer's story: {} ({}), used by {} ({})",
                                                  computer.computer_name, computer.operating_system,
                                                  user.display_name, user.principal)))
          .c_str(),
      out_);
  Begin();
  DT_RETURN_IF_ERROR(TellTicket(fleet_.PrincipalOf(computer)));
  DT_RETURN_IF_ERROR(TellTicket(fleet_.PrincipalOf(user)));
  DT_RETURN_IF_ERROR(phase.RunOne(
      device, [this](agent::Step step, std::chrono::nanoseconds, const std::string& detail) {
        Tell(fmt::format("agent: {}", agent::StepName(step)), Trimmed(detail));
      }));
  return TellCertificate(phase, device);
}

absl::Status Story::TellCertificate(EnrollPhase& phase, std::size_t device) {
  const std::optional<pki::Identity> identity = phase.IdentityOf(device);
  if (!identity.has_value()) return absl::InternalError("enrolled, but the store has nothing");
  const pki::Certificate& certificate = identity->certificate;
  std::string names;
  for (const std::string& uri : certificate.uris()) names += uri + "\n";
  Tell(fmt::format("store: certificate {} of \"{}\"", certificate.serial_hex(),
                   certificate.issuer_common_name()),
       fmt::format("{}{} to {}", names, FormatUtc(certificate.not_before()),
                   FormatUtc(certificate.not_after())));
  const std::vector<pki::Certificate> trust = {environment_.pki().web_ca().certificate};
  DT_ASSIGN_OR_RETURN(const std::string check,
                      FetchText(environment_.check_url(), trust, SystemClock(), &*identity));
  Tell("handshake: the mTLS host asks for a certificate and says what it saw", Trimmed(check));
  return absl::OkStatus();
}

absl::StatusOr<org::v1::Decision> Story::LastDecision(const std::string& principal) {
  org::v1::EventFilter filter;
  filter.set_user_id(principal);
  filter.add_types("policy.evaluate_sign_on");
  // The event is on its way from the org's store to the log.
  std::vector<org::v1::Event> events;
  const auto arrived = [&]() -> absl::StatusOr<bool> {
    DT_ASSIGN_OR_RETURN(events, environment_.admin().SearchEvents(filter, 1));
    return !events.empty();
  };
  DT_RETURN_IF_ERROR(
      Annotate(WaitUntil(arrived, std::chrono::milliseconds(10), std::chrono::seconds(5)),
               "the decision's way to the System Log"));
  return environment_.admin().ExplainDecision(events.front().debug_data().at("code"));
}

absl::Status Story::SignIn(SignInPhase& phase, std::size_t device) {
  const FleetUser& user = fleet_.users[fleet_.devices[device].user];
  Tell(fmt::format("{} opens Mail in a browser", user.display_name));
  phase.RunOne(device, [this](Step step, std::chrono::microseconds took, const Page* page) {
    if (step == Step::kRequest) return;
    const std::string where =
        page == nullptr ? "" : page->url.substr(0, std::min<std::size_t>(page->url.find('?'), 100));
    Tell(fmt::format("{} ({})", TellStep(step), Trimmed(Latency(took))), where);
  });
  if (!phase.totals().errors.empty()) return absl::InternalError(phase.totals().errors.front());
  DT_ASSIGN_OR_RETURN(const org::v1::Decision decision, LastDecision(user.principal));
  Tell(fmt::format("{}: rule \"{}\", device {}", style_.Good("allowed"), decision.rule_name(),
                   decision.trust() == org::v1::TRUST_STATE_TRUSTED ? "trusted" : "not trusted"));
  return absl::OkStatus();
}

absl::Status Story::Refusal(SignInPhase& phase, std::size_t device) {
  const FleetUser& user = fleet_.users[fleet_.devices[device].user];
  std::fputs(fmt::format("{}\n", style_.Bold(fmt::format(
                                     "And one without: {}, at an unmanaged Windows computer",
                                     user.display_name)))
                 .c_str(),
             out_);
  Begin();
  phase.RunOne(device, {});
  if (!phase.totals().errors.empty()) return absl::InternalError(phase.totals().errors.front());
  const std::string& code = phase.record(device, 0).code;
  DT_ASSIGN_OR_RETURN(const org::v1::Decision decision, environment_.admin().ExplainDecision(code));
  Tell(fmt::format("{}: rule \"{}\", {}, code {}", style_.Bad("refused"), decision.rule_name(),
                   rpc::ReasonName(decision.trust_reason()), style_.Bold(code)),
       decision.remedy());
  std::fputs("\n", out_);
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
