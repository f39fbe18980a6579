#include "policy-engine/diagnostics/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "libs/base/names.h"
#include "libs/base/utc_time.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kEnroll = "user.credential.enroll";
constexpr std::string_view kAuthenticate = "user.authentication.authenticate";

// What one check came to.
struct Found {
  v1::CheckState state = v1::CHECK_STATE_PASSED;
  std::string finding;
  std::string remedy = {};
};

Found Passed(std::string finding) { return {v1::CHECK_STATE_PASSED, std::move(finding)}; }
Found Failed(std::string finding, std::string remedy) {
  return {v1::CHECK_STATE_FAILED, std::move(finding), std::move(remedy)};
}
Found Unknown(std::string finding, std::string remedy) {
  return {v1::CHECK_STATE_UNKNOWN, std::move(finding), std::move(remedy)};
}

Found NobodyKnown() {
  return Unknown("there is nobody to look at", "See the check of the user first.");
}

std::string TimeOf(const google::protobuf::Timestamp& time) {
  return FormatUtc(rpc::FromTimestamp(time));
}

Found Capability(const Evidence& evidence) {
  if (evidence.settings.capability_enabled())
    return Passed("the operator lets Device Trust be used");
  return Failed("the operator has switched the capability off for this deployment",
                "Ask the operator for dtctl capability on.");
}

Found DeviceTrust(const Evidence& evidence) {
  if (evidence.settings.device_trust_enabled()) return Passed("Device Trust is on");
  return Failed("Device Trust is switched off in the org's settings",
                "Switch it on: dtctl device-trust on.");
}

Found ReadOnly(const Evidence& evidence) {
  if (!evidence.settings.read_only()) return Passed("the org takes enrollments");
  return Failed("the org is in read-only mode: nobody enrolls or renews",
                "End it when its cause is over: dtctl read-only off.");
}

Found AdIntegration(const Evidence& evidence) {
  if (!evidence.settings.ad_integration_active()) {
    return Failed("the org has no active Active Directory integration",
                  "Activate it: dtctl ad-integration on --domain DOMAIN.");
  }
  return Passed(fmt::format("active, {} domains", evidence.settings.ad_domains_size()));
}

Found Directory(const Evidence& evidence) {
  for (const v1::PeopleSyncStatus& domain : evidence.people) {
    if (domain.state() == v1::PeopleSyncStatus::STATE_FAILED) {
      return Failed(
          fmt::format("reading the people of {} failed: {}", domain.domain(), domain.error()),
          "Check the domain controller, its certificate and the account that reads it; "
          "dtctl people sync shows each domain.");
    }
    if (domain.state() == v1::PeopleSyncStatus::STATE_STOPPED) {
      return Failed(
          fmt::format("the sync of {} waits: it would deactivate {} people", domain.domain(),
                      domain.deactivations()),
          fmt::format(
              "Look at who they are (dtctl people sync), then mend the directory, or: dtctl "
              "people sync --approve {}.",
              domain.domain()));
    }
  }
  if (evidence.people.empty()) return Passed("people are imported; no directory is read");
  return Passed(fmt::format("{} domains are read", evidence.people.size()));
}

Found UserPresent(const Evidence& evidence) {
  if (evidence.user) return Passed(evidence.user->principal() + " is in the org");
  if (evidence.asked_user.empty()) {
    return Failed("nobody has a certificate on this device, so no user is known by it",
                  "Check the device id, or ask by the user: dtctl doctor --user WHO.");
  }
  return Failed(evidence.asked_user + " is not in the org",
                "Import the person, or let the directory be read: dtctl people --help.");
}

Found UserActive(const Evidence& evidence) {
  if (!evidence.user) return NobodyKnown();
  if (evidence.user->status() == v1::USER_STATUS_ACTIVE) return Passed("activated");
  if (evidence.user->deactivated_by_directory()) {
    return Failed("deactivated, because the directory has disabled or deleted the account",
                  "Enable the account in Active Directory; the next sync activates the person.");
  }
  return Failed("deactivated by an admin",
                fmt::format("Activate: dtctl people activate {}.", evidence.user->principal()));
}

Found UserMember(const Evidence& evidence) {
  if (!evidence.user) return NobodyKnown();
  if (evidence.user->from_ad()) return Passed("a member of the Active Directory domain");
  return Failed("the user does not come from Active Directory",
                "Import the person from Active Directory, with the SID.");
}

// The IWAs that can vouch for the user, as far as the checks before have come.
std::vector<const v1::Iwa*> EnabledIwas(const Evidence& evidence) {
  std::vector<const v1::Iwa*> enabled;
  for (const v1::Iwa& iwa : evidence.iwas) {
    if (iwa.enabled()) enabled.push_back(&iwa);
  }
  return enabled;
}

std::string Names(const std::vector<const v1::Iwa*>& iwas) {
  std::string names;
  for (const v1::Iwa* iwa : iwas) names += (names.empty() ? "" : ", ") + iwa->name();
  return names;
}

Found IwaRegistered(const Evidence& evidence) {
  if (!evidence.iwas.empty()) return Passed(fmt::format("{} registered", evidence.iwas.size()));
  return Failed("no IWA has registered",
                "Install and start dt-iwa in the domain; its log says why "
                "it can't reach the org.");
}

Found IwaEnabled(const Evidence& evidence) {
  if (evidence.iwas.empty()) return Unknown("there is no IWA", "See the check before.");
  const auto enabled = EnabledIwas(evidence);
  if (!enabled.empty()) return Passed(Names(enabled));
  return Failed("every IWA is disabled",
                fmt::format("Enable one: dtctl iwa enable {}.", evidence.iwas.front().name()));
}

Found IwaPrimary(const Evidence& evidence) {
  const auto enabled = EnabledIwas(evidence);
  if (enabled.empty()) return Unknown("no IWA is enabled", "See the checks before.");
  const auto primary = std::ranges::find_if(enabled, &v1::Iwa::primary);
  if (primary != enabled.end()) return Passed((*primary)->name());
  return Failed("no enabled IWA is the primary one",
                "Start one dt-iwa with --primary, or enable the one that is.");
}

Found IwaCapable(const Evidence& evidence) {
  const auto enabled = EnabledIwas(evidence);
  if (enabled.empty()) return Unknown("no IWA is enabled", "See the checks before.");
  for (const v1::Iwa* iwa : enabled) {
    if (iwa->device_trust_capable()) continue;
    return Failed(fmt::format("{} has version {}, which is too old for Device Trust", iwa->name(),
                              iwa->version()),
                  "Upgrade it, or disable it: dtctl iwa disable " + iwa->name() + ".");
  }
  return Passed("each enabled one is of a capable version");
}

Found IwaHeartbeat(const Evidence& evidence) {
  const auto enabled = EnabledIwas(evidence);
  if (enabled.empty()) return Unknown("no IWA is enabled", "See the checks before.");
  const v1::Iwa* newest = *std::ranges::max_element(
      enabled, {}, [](const v1::Iwa* iwa) { return iwa->last_heartbeat().seconds(); });
  for (const v1::Iwa* iwa : enabled) {
    // An older heartbeat's complaint is none of now.
    if (!iwa->online() || iwa->problem().empty()) continue;
    return Failed(fmt::format("{} says: {}", iwa->name(), iwa->problem()),
                  "Run dt-iwa status on its machine; it says so until it is mended.");
  }
  const std::string last = TimeOf(newest->last_heartbeat());
  if (evidence.now - rpc::FromTimestamp(newest->last_heartbeat()) <= kHeartbeatAgeMax) {
    return Passed(fmt::format("{} at {}", newest->name(), last));
  }
  return Failed(fmt::format("the last word of any was that of {} at {}", newest->name(), last),
                "Is dt-iwa running, and does it reach the org? Its log says.");
}

Found IwaBinding(const Evidence& evidence) {
  const auto enabled = EnabledIwas(evidence);
  if (enabled.empty()) return Unknown("no IWA is enabled", "See the checks before.");
  for (const v1::Iwa* iwa : enabled) {
    if (iwa->binding() == "https") continue;
    return Failed(fmt::format("{} is bound to \"{}\", not https", iwa->name(), iwa->binding()),
                  "Give it a server certificate: its edge listener speaks TLS alone.");
  }
  return Passed("https");
}

// Where the user is of: by the sync, else by the principal, if the org knows that domain.
std::string DomainOf(const v1::User& user, const v1::OrgSettings& settings) {
  if (!user.synced_from().empty()) return user.synced_from();
  const std::string domain = user.principal().substr(user.principal().rfind('@') + 1);
  for (const std::string& known : settings.ad_domains()) {
    if (FoldName(known) == FoldName(domain)) return known;
  }
  return {};
}

Found IwaDomains(const Evidence& evidence) {
  if (!evidence.user) return NobodyKnown();
  const auto enabled = EnabledIwas(evidence);
  if (enabled.empty()) return Unknown("no IWA is enabled", "See the checks before.");
  const std::string domain = DomainOf(*evidence.user, evidence.settings);
  if (domain.empty()) {
    return Unknown("the org does not know the user's domain",
                   "Is it one of dtctl settings' domains? Then the principal names another one.");
  }
  for (const v1::Iwa* iwa : enabled) {
    for (const std::string& granted : iwa->granted_domains()) {
      if (FoldName(granted) == FoldName(domain)) {
        return Passed(fmt::format("{} may vouch for {}", iwa->name(), domain));
      }
    }
  }
  return Failed("no enabled IWA may vouch for " + domain,
                fmt::format("Let one: dtctl iwa grant {} {}.", enabled.front()->name(), domain));
}

const v1::Event* Newest(const Evidence& evidence, std::string_view type) {
  const auto found = std::ranges::find(evidence.events, type, &v1::Event::type);
  return found == evidence.events.end() ? nullptr : &*found;
}

bool Went(const v1::Event& event) {
  return event.outcome().result() == v1::EventOutcome::RESULT_SUCCESS ||
         event.outcome().result() == v1::EventOutcome::RESULT_ALLOW;
}

bool IsGood(const ca::v1::CertificateRecord& certificate, WallTime now) {
  return !certificate.has_revoked_at() && rpc::FromTimestamp(certificate.not_after()) > now;
}

bool HasGood(const Evidence& evidence) {
  return evidence.certificates.ok() &&
         std::ranges::any_of(*evidence.certificates,
                             [&](const auto& one) { return IsGood(one, evidence.now); });
}

Found Agent(const Evidence& evidence) {
  const v1::Event* last = Newest(evidence, kEnroll);
  if (last != nullptr && Went(*last)) return Passed("enrolled at " + TimeOf(last->at()));
  if (last != nullptr) {
    return Failed(fmt::format("the last enrollment, at {}, was refused: {}", TimeOf(last->at()),
                              last->outcome().reason()),
                  "Mend that cause; the agent tries again by itself, or at once when it is run.");
  }
  if (HasGood(evidence)) return Passed("the log keeps no enrollment; there is a certificate");
  return Failed("no agent of this person or device has asked for a certificate",
                "Is the agent installed, and did its tasks run? Look into its log on the computer: "
                "can it reach IWA and CA, through the proxy if there is one, and has it a ticket?");
}

Found CertificateIssued(const Evidence& evidence) {
  if (!evidence.certificates.ok()) {
    return Unknown(
        "the CA does not answer: " + std::string(evidence.certificates.status().message()),
        "Is dt-ca running, and is --ca-address of dt-policy right?");
  }
  if (evidence.certificates->empty()) {
    return Failed("no certificate was issued",
                  "Run the agent on the computer; see the check before.");
  }
  return Passed(fmt::format("{} issued, the last at {}", evidence.certificates->size(),
                            TimeOf(evidence.certificates->front().issued_at())));
}

Found CertificateGood(const Evidence& evidence) {
  if (!evidence.certificates.ok() || evidence.certificates->empty()) {
    return Unknown("there is no certificate to look at", "See the check before.");
  }
  if (HasGood(evidence)) return Passed("one is good now");
  const ca::v1::CertificateRecord& last = evidence.certificates->front();
  if (last.has_revoked_at()) {
    return Failed(fmt::format("the last one, {}, was revoked at {}", last.serial(),
                              TimeOf(last.revoked_at())),
                  "If the device may be trusted again, remove the certificate from its store and "
                  "run the agent; one on hold: dtctl certificates release " +
                      last.serial() + ".");
  }
  return Failed(
      fmt::format("the last one, {}, ended at {}", last.serial(), TimeOf(last.not_after())),
      "Run the agent: it renews before the end, so find out why it has not run.");
}

Found Handshake(const Evidence& evidence) {
  const std::string hosts =
      "Let the browser choose the certificate, and let proxies and endpoint protection pass TLS to "
      "the mTLS host's names unopened: the wildcard name too.";
  if (evidence.decision && evidence.decision->trust() == v1::TRUST_STATE_NOT_TRUSTED) {
    const auto reason = rpc::ReasonName(evidence.decision->trust_reason());
    return Failed(fmt::format("at this sign-in the device was not trusted: {}", reason),
                  evidence.decision->remedy().empty() ? hosts : evidence.decision->remedy());
  }
  if (evidence.decision && evidence.decision->trust() == v1::TRUST_STATE_TRUSTED) {
    return Passed("at this sign-in the certificate was shown and good");
  }
  const v1::Event* last = Newest(evidence, kAuthenticate);
  if (last == nullptr) {
    return Unknown("no device of this person has shown a certificate at a sign-in", hosts);
  }
  if (Went(*last)) return Passed("a certificate was shown and good at " + TimeOf(last->at()));
  return Failed(fmt::format("the last one, at {}, was not good: {}", TimeOf(last->at()),
                            last->outcome().reason()),
                hosts);
}

Found Policy(const Evidence& evidence) {
  std::size_t guarded = 0;
  for (const AppTrust& app : evidence.apps) {
    if (!app.uses_trust) continue;
    ++guarded;
    if (app.denies_untrusted) continue;
    return Failed(fmt::format("app {} asks for trust, and no active rule of it denies devices that "
                              "are not trusted",
                              app.label),
                  "Add one below the others: dtctl rules get, then dtctl rules set.");
  }
  if (guarded > 0) return Passed(fmt::format("{} apps deny devices that are not trusted", guarded));
  return Failed(
      evidence.decision ? "no active rule of the app asks whether the device is trusted"
                        : "no active rule of any app asks whether the device is trusted",
      "Add a rule that wants a trusted device, and one that denies all others: dtctl rules "
      "set.");
}

struct Row {
  const char* id;
  const char* title;
  Found (*look)(const Evidence& evidence);
};

constexpr Row kRows[] = {
    {"capability", "The operator allows Device Trust", &Capability},
    {"device_trust", "Device Trust is on", &DeviceTrust},
    {"read_only", "The org takes enrollments", &ReadOnly},
    {"ad_integration", "The Active Directory integration is active", &AdIntegration},
    {"directory", "Directories are read", &Directory},
    {"user_present", "The user is in the org", &UserPresent},
    {"user_active", "The user is activated", &UserActive},
    {"user_member", "The user is of the domain", &UserMember},
    {"iwa_registered", "An IWA is installed", &IwaRegistered},
    {"iwa_enabled", "An IWA is enabled", &IwaEnabled},
    {"iwa_primary", "An IWA is the primary one", &IwaPrimary},
    {"iwa_capable", "IWAs are of a capable version", &IwaCapable},
    {"iwa_heartbeat", "An IWA is alive", &IwaHeartbeat},
    {"iwa_binding", "IWAs are bound to https", &IwaBinding},
    {"iwa_domains", "An IWA vouches for the user's domain", &IwaDomains},
    {"agent", "The agent enrolled the computer", &Agent},
    {"certificate_issued", "A certificate was issued", &CertificateIssued},
    {"certificate_good", "A certificate is good now", &CertificateGood},
    {"handshake", "The certificate reaches the mTLS host", &Handshake},
    {"policy", "Rules deny devices that are not trusted", &Policy},
};

}  // namespace

std::vector<v1::Check> Judge(const Evidence& evidence) {
  std::vector<v1::Check> checks;
  for (const Row& row : kRows) {
    Found found = row.look(evidence);
    v1::Check& check = checks.emplace_back();
    check.set_id(row.id);
    check.set_title(row.title);
    check.set_state(found.state);
    check.set_finding(std::move(found.finding));
    check.set_remedy(std::move(found.remedy));
  }
  return checks;
}

}  // namespace devicetrust::policy
