#include "simulator/scenario/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

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
    if (sid.starts_with("S-1-18-")) continue;  // How Kerberos came to know of it: no group.
    const auto rid = static_cast<std::uint32_t>(std::stoul(sid.substr(sid.rfind('-') + 1)));
    const Group* group = accounts.FindGroup(realm, rid);
    std::string name = group == nullptr ? sid : group->name.str();
    if (rid == kRidDomainUsers) name = "Domain Users";
    if (rid == kRidDomainComputers) name = "Domain Computers";
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

// Of an account's ticket, in words (MS-PAC, userAccountControl; RFC 3962).
std::string CipherName(int enctype) {
  switch (enctype) {
    case 17:
      return "AES-128";
    case 18:
      return "AES-256";
    default:
      return fmt::format("cipher {}", enctype);
  }
}

std::string AccountWords(std::uint32_t user_account_control) {
  constexpr std::uint32_t kWorkstation = 0x80;
  return (user_account_control & kWorkstation) != 0 ? "a computer's account" : "a person's account";
}

std::string_view TellStep(agent::Step step) {
  switch (step) {
    case agent::Step::kDiscover:
      return "the agent asks the org where IWA and CA are";
    case agent::Step::kMakeKey:
      return "the agent makes a key, which never leaves the computer";
    case agent::Step::kDeviceToken:
      return "the IWA takes the computer's ticket and answers with a token";
    case agent::Step::kUserToken:
      return "the IWA takes the user's ticket too; its token names both";
    case agent::Step::kCertificate:
      return "the CA takes that token and a signing request, and certifies the key";
    case agent::Step::kInstall:
      return "the agent puts the certificate into the user's store";
  }
  return "";
}

// The claims of a token (RFC 7519), for people. Empty when `line` holds none.
std::string TellClaims(const std::string& line) {
  const auto claims = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!claims.is_object() || !claims.contains("cnf")) return "";
  const auto text = [](const nlohmann::json& object, const char* name) {
    const auto member = object.find(name);
    return member != object.end() && member->is_string() ? member->get<std::string>() : "?";
  };
  const auto number = [&claims](const char* name) {
    const auto member = claims.find(name);
    return member != claims.end() && member->is_number_integer() ? member->get<std::int64_t>() : 0;
  };
  const bool names_user = claims.contains("device_name");
  std::string told;
  if (names_user) told += fmt::format("who       {}\n", text(claims, "name"));
  told += fmt::format("computer  {} of {}\n", text(claims, names_user ? "device_name" : "name"),
                      text(claims, "realm"));
  if (claims["cnf"].is_object()) {
    told += fmt::format("key       {}, and no other\n", text(claims["cnf"], "jkt"));
  }
  return told + fmt::format("until     {}, {} s in all", FormatUtc(AtUnixSeconds(number("exp"))),
                            number("exp") - number("iat"));
}

// What an agent says of one step, without what only its programmer wants to see.
std::string InPlainWords(agent::Step step, const std::string& detail) {
  if (step != agent::Step::kDeviceToken && step != agent::Step::kUserToken) return detail;
  const std::size_t begin = detail.find('{');
  return begin == std::string::npos ? detail : TellClaims(detail.substr(begin));
}

absl::Status FirstError(const SignInPhase& phase) {
  for (const VisitRecord& visit : phase.records()) {
    if (!visit.error.empty()) return absl::InternalError(visit.error);
  }
  return absl::OkStatus();
}

std::string_view TellStep(Step step) {
  switch (step) {
    case Step::kRequest:
      return "browser: GET or redirect";
    case Step::kPassword:
      return "password checked by the directory (LDAP bind); a session begins";
    case Step::kChallenge:
      return "device challenge: the browser shows the certificate in a TLS handshake";
    case Step::kDecision:
      return "back at the org, which goes through the app's rules";
    case Step::kFactor:
      return "six digits of the authenticator app taken";
    case Step::kVerify:
      return "the app has verified the org's signed answer";
  }
  return "";
}

}  // namespace

void Story::Tell(std::string_view line, std::string_view details,
                 std::optional<Monotonic::time_point> at) {
  const auto since =
      std::chrono::duration_cast<std::chrono::microseconds>(at.value_or(Monotonic::now()) - begun_);
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
  const kerberos::Ticket& ticket = credentials.tickets().back();
  std::string details =
      fmt::format("{}, {}, groups {}; valid until {}", CipherName(ticket.enctype),
                  AccountWords(accepted.identity.user_account_control),
                  GroupNames(forests.view(), accepted.identity), FormatUtc(ticket.valid_until));
  if (verbose_) {
    for (const kerberos::Ticket& each : credentials.tickets()) {
      details += fmt::format("\nticket {}, session key type {}, until {}", each.service,
                             each.enctype, FormatUtc(each.valid_until));
    }
    details += fmt::format("\nPAC: {}, control bits 0x{:x}", accepted.identity.account_sid,
                           accepted.identity.user_account_control);
  }
  Tell(fmt::format("Kerberos: {} has a ticket for the IWA, from the domain controller",
                   accepted.identity.principal),
       details);
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
        Tell(TellStep(step), Trimmed(verbose_ ? detail : InPlainWords(step, detail)));
      }));
  return TellCertificate(phase, device);
}

absl::Status Story::TellCertificate(EnrollPhase& phase, std::size_t device) {
  const std::optional<pki::Identity> identity = phase.IdentityOf(device);
  if (!identity.has_value()) return absl::InternalError("enrolled, but the store has nothing");
  const pki::Certificate& certificate = identity->certificate;
  std::string details = fmt::format("serial {}, valid until {}", certificate.serial_hex(),
                                    FormatUtc(certificate.not_after()));
  if (verbose_) {
    for (const std::string& uri : certificate.uris()) details += "\n" + uri;
  }
  Tell(fmt::format("the store holds a certificate of \"{}\"", certificate.issuer_common_name()),
       details);
  const std::vector<pki::Certificate> trust = {environment_.pki().web_ca().certificate};
  DT_ASSIGN_OR_RETURN(const std::string check,
                      FetchText(environment_.check_url(), trust, SystemClock(), &*identity));
  Tell("a first handshake: the mTLS host asks for the certificate and says what it saw",
       Trimmed(check));
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
  Monotonic::time_point at = Monotonic::now();
  phase.RunOne(device, [this, &at](Step step, std::chrono::microseconds took, const Page* page) {
    at = Monotonic::now();
    if (step == Step::kRequest) return;
    const std::string where =
        page == nullptr || !verbose_
            ? ""
            : page->url.substr(0, std::min<std::size_t>(page->url.find('?'), 100));
    Tell(fmt::format("{} ({})", TellStep(step), Trimmed(Latency(took))), where);
  });
  DT_RETURN_IF_ERROR(FirstError(phase));
  // The other apps, which come next, and the way to the System Log are not of this sign-in.
  DT_ASSIGN_OR_RETURN(const org::v1::Decision decision, LastDecision(user.principal));
  Tell(fmt::format("{}: rule {} \"{}\", device {}", style_.Good("allowed"), decision.rule_index(),
                   decision.rule_name(),
                   decision.trust() == org::v1::TRUST_STATE_TRUSTED ? "trusted" : "not trusted"),
       "", at);
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
  DT_RETURN_IF_ERROR(FirstError(phase));
  std::string code;
  for (const VisitRecord& visit : phase.records()) {
    if (visit.user == device && code.empty()) code = visit.code;
  }
  DT_ASSIGN_OR_RETURN(const org::v1::Decision decision, environment_.admin().ExplainDecision(code));
  Tell(fmt::format("{}: rule {} \"{}\", {}, code {}", style_.Bad("refused"), decision.rule_index(),
                   decision.rule_name(), rpc::ReasonName(decision.trust_reason()),
                   style_.Bold(code)),
       decision.remedy());
  std::fputs("\n", out_);
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
