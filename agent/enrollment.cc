#include "agent/enrollment.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "agent/proof.h"
#include "agent/remedies.h"
#include "agent/renewal.h"
#include "libs/base/trace.h"
#include "libs/base/utc_time.h"
#include "libs/pki/csr.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {
namespace {

// Tokens live 300 s; one that is older than this is not worth sending.
constexpr std::chrono::seconds kTokensUsable{270};

std::string Text(const absl::Status& status) { return std::string(status.message()); }

bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsResourceExhausted(status) || absl::IsAborted(status);
}

// A ticket or token that aged on the way: new ones may do.
bool WantsNewTokens(const absl::Status& status) {
  using namespace reason::v1;
  switch (rpc::ReasonOf(status)) {
    case REASON_TICKET_EXPIRED:
    case REASON_TICKET_REPLAYED:
    case REASON_TOKEN_EXPIRED:
    case REASON_TOKEN_NOT_YET_VALID:
    case REASON_TOKEN_UNKNOWN_KEY:
    case REASON_TOKEN_REPLAYED:
      return true;
    default:
      return false;
  }
}

std::chrono::milliseconds AskedPause(const absl::Status& status) {
  const auto detail = rpc::DetailOf(status);
  if (!detail || !detail->has_retry_after()) return std::chrono::milliseconds(0);
  // Bounded: whoever answers may not put a computer to sleep for good.
  return std::chrono::seconds(std::clamp<std::int64_t>(detail->retry_after().seconds(), 0, 3600));
}

}  // namespace

std::string_view StepName(Step step) {
  constexpr std::array<std::string_view, kStepCount> kNames = {
      "discover", "make key", "device token", "user token", "certificate", "install"};
  return kNames[static_cast<std::size_t>(step)];
}

Enrollment::Enrollment(Computer& computer, Services& services, const Clock& clock, Random& random,
                       const EnrollmentOptions& options, Trace trace)
    : computer_(computer),
      services_(services),
      clock_(clock),
      options_(options),
      trace_(std::move(trace)),
      backoff_(options.first_pause, options.longest_pause, random) {}

// All calls of an attempt go under one trace id: servers' logs tell it apart from others.
Outcome Enrollment::Attempt() {
  const TraceScope scope(NewTraceId());
  if (std::optional<Outcome> early = CheckPreconditions()) return *std::move(early);
  ++attempts_;
  const absl::Status status = Enroll();
  return status.ok() ? Enrolled() : Conclude(status);
}

std::optional<Outcome> Enrollment::CheckPreconditions() {
  const auto not_now = [&](reason::v1::Reason why, const std::string& message) {
    Outcome outcome;
    outcome.status = rpc::MakeError(absl::StatusCode::kFailedPrecondition, why, message,
                                    computer_.name(), std::string(RemedyFor(why)));
    computer_.WriteEvent({kEventNotNow, EventLevel::kWarning, message,
                          rpc::ReasonName(outcome.status), std::string(RemedyFor(why))});
    return outcome;
  };
  if (const absl::Status prepared = computer_.Prepare(); !prepared.ok()) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::kRefused;
    outcome.status = prepared;
    computer_.WriteEvent(
        {kEventUnsupported,
         EventLevel::kError,
         Text(prepared),
         {},
         "Give the user a computer that is supported, or install what is missing."});
    return outcome;
  }
  const auto not_joined = [&] {
    return not_now(reason::v1::REASON_NOT_DOMAIN_JOINED,
                   "This computer is not joined to a domain, so it cannot prove itself.");
  };
  if (!computer_.logged_on_user()) {  // Whose store it would be.
    if (computer_.domain().empty()) return not_joined();
    return not_now(reason::v1::REASON_NOT_A_USER, "Nobody is logged on.");
  }
  if (const std::optional<std::string> other = computer_.other_user()) {
    return SharedTerminal(*other);
  }
  step_ = Step::kInstall;  // The one that is about the store.
  auto early = CheckStore();
  if (!early.ok()) {
    ++attempts_;
    return Conclude(early.status());
  }
  if (*early) return *std::move(early);
  if (computer_.domain().empty()) return not_joined();
  if (computer_.network_place() != NetworkPlace::kCorporate) {
    return not_now(reason::v1::REASON_DOMAIN_CONTROLLER_UNREACHABLE,
                   "The corporate network is not reachable from here.");
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<PersonalCertificate>> Enrollment::OurCertificates() const {
  DT_ASSIGN_OR_RETURN(std::vector<PersonalCertificate> ours, computer_.PersonalCertificates());
  std::erase_if(ours, [](const PersonalCertificate& one) {
    return one.certificate.issuer_common_name() != kIssuerCommonName;
  });
  return ours;
}

// Tidies what an earlier run may have left, then says whether anything is to be done. Of several
// certificates of ours the newest that has its key stays.
absl::StatusOr<std::optional<Outcome>> Enrollment::CheckStore() {
  if (options_.force_renewal && options_.version < kForcesRenewalFrom) {
    return rpc::MakeError(
        absl::StatusCode::kFailedPrecondition, reason::v1::REASON_MALFORMED_REQUEST,
        fmt::format("Agent {} cannot force a renewal.", options_.version.Text()), computer_.name(),
        fmt::format("Install {} or later.", kForcesRenewalFrom.Text()));
  }
  DT_RETURN_IF_ERROR(computer_.RemoveOrphanKeys().status());
  DT_ASSIGN_OR_RETURN(std::vector<PersonalCertificate> ours, OurCertificates());
  renewed_ = {{}, options_.force_renewal};
  follows_ = !ours.empty();
  if (ours.empty()) return std::nullopt;

  const auto newest = std::max_element(
      ours.begin(), ours.end(), [](const PersonalCertificate& a, const PersonalCertificate& b) {
        const auto rank = [](const PersonalCertificate& one) {
          return std::tuple(one.has_key, one.certificate.not_before(), one.certificate.not_after(),
                            one.certificate.serial_hex());
        };
        return rank(a) < rank(b);
      });
  if (newest->has_key && ours.size() > 1) {
    DT_RETURN_IF_ERROR(RemoveAllBut(newest->certificate));
  }
  renewed_.serial = newest->certificate.serial_hex();
  if (options_.force_renewal) return std::nullopt;
  const WallTime moment = std::max(newest->renew_at.value_or(RenewalMoment(newest->certificate)),
                                   RenewableFrom(newest->certificate));
  if (clock_.Now() >= moment) return std::nullopt;
  return NothingToDo(*newest);
}

Outcome Enrollment::SharedTerminal(const std::string& other) {
  const auto why = reason::v1::REASON_SHARED_TERMINAL;
  const std::string remedy(RemedyFor(why));
  const std::string message = fmt::format(
      "This computer was enrolled for {}, and {} is logged on: a computer that several people "
      "share "
      "is not supported.",
      other, computer_.logged_on_user().value_or("another user"));
  Outcome outcome;
  outcome.kind = Outcome::Kind::kRefused;
  outcome.status =
      rpc::MakeError(absl::StatusCode::kFailedPrecondition, why, message, computer_.name(), remedy);
  computer_.WriteEvent(
      {kEventSharedTerminal, EventLevel::kError, message, rpc::ReasonName(why), remedy});
  return outcome;
}

absl::Status Enrollment::RemoveAllBut(const pki::Certificate& kept) {
  DT_ASSIGN_OR_RETURN(const std::vector<PersonalCertificate> ours, OurCertificates());
  for (const PersonalCertificate& one : ours) {
    if (one.certificate.Fingerprint() == kept.Fingerprint()) continue;
    DT_RETURN_IF_ERROR(computer_.RemovePersonal(one.certificate));
  }
  return absl::OkStatus();
}

Outcome Enrollment::NothingToDo(const PersonalCertificate& present) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kNothingToDo;
  outcome.serial = present.certificate.serial_hex();
  Event event{
      kEventNothingToDo, EventLevel::kInformation,
      fmt::format("A Device Trust certificate is in the store (serial {}).", outcome.serial)};
  if (!present.has_key) {
    event.level = EventLevel::kWarning;
    event.message += " Its private key is not.";
    event.remedy = "Run the agent as that user with --forceRenewal.";
  }
  computer_.WriteEvent(event);
  return outcome;
}

// What an earlier attempt brought is used again while it is good.
absl::Status Enrollment::Enroll() {
  if (discovery_ == nullptr) DT_RETURN_IF_ERROR(Run(Step::kDiscover, &Enrollment::Discover));
  if (!key_) DT_RETURN_IF_ERROR(Run(Step::kMakeKey, &Enrollment::MakeKey));
  if (!tokens_fresh()) DropTokens();
  if (device_token_.empty()) {
    DT_RETURN_IF_ERROR(Run(Step::kDeviceToken, &Enrollment::GetDeviceToken));
  }
  if (user_token_.empty()) DT_RETURN_IF_ERROR(Run(Step::kUserToken, &Enrollment::GetUserToken));
  DT_RETURN_IF_ERROR(Run(Step::kCertificate, &Enrollment::GetCertificate));
  return Run(Step::kInstall, &Enrollment::Install);
}

absl::Status Enrollment::Run(Step step, absl::Status (Enrollment::*body)()) {
  step_ = step;
  detail_.clear();
  const auto start = std::chrono::steady_clock::now();
  DT_RETURN_IF_ERROR((this->*body)());
  if (trace_) trace_(step, std::chrono::steady_clock::now() - start, detail_);
  return absl::OkStatus();
}

absl::Status Enrollment::Discover() {
  const std::optional<std::string> org_url = computer_.RegistryValue(kOrgUrlValue);
  if (!org_url) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                          reason::v1::REASON_MALFORMED_REQUEST,
                          fmt::format("The registry value {} is not set.", kOrgUrlValue),
                          computer_.name(), "Install the agent again with the org's URL.");
  }
  DT_ASSIGN_OR_RETURN(discovery_, services_.Discover(*org_url));
  if (detailed()) {
    detail_ = fmt::format("{}: {} IWA{}, CA at {}", *org_url, discovery_->iwas.size(),
                          discovery_->iwas.size() == 1 ? "" : "s", discovery_->ca_address);
  }
  return absl::OkStatus();
}

absl::Status Enrollment::MakeKey() {
  key_ = computer_.OpenPendingKey();
  const bool kept = key_.has_value();
  if (!kept) {
    DT_ASSIGN_OR_RETURN(key_, computer_.CreateKey());
  }
  thumbprint_ = key_->signer.public_key().Thumbprint();
  DT_ASSIGN_OR_RETURN(csr_, pki::BuildCsr(computer_.name(), key_->signer));
  if (detailed()) {
    detail_ = fmt::format("P-256 key {}{}", thumbprint_, kept ? ", of an earlier run" : "");
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenAnswer> Enrollment::ProveTo(const IwaEntry& iwa, Account account) {
  auto answer = Prove(computer_, services_, *discovery_, iwa,
                      {account, thumbprint_, account == Account::kUser ? device_token_ : ""},
                      detailed() ? &detail_ : nullptr);
  if (!answer.ok() && IsTransient(answer.status())) ++iwa_choice_;
  return answer;
}

absl::StatusOr<const IwaEntry*> Enrollment::ChosenIwa() const {
  DT_ASSIGN_OR_RETURN(const auto serving, IwasFor(*discovery_, computer_.domain()));
  return serving[iwa_choice_ % serving.size()];
}

absl::Status Enrollment::GetDeviceToken() {
  tokens_since_ = clock_.Now();
  DT_ASSIGN_OR_RETURN(const IwaEntry* const iwa, ChosenIwa());
  if (auto brought = computer_.DeviceTokenFor(iwa->name, thumbprint_)) {
    if (!brought->ok() && IsTransient(brought->status())) ++iwa_choice_;
    DT_ASSIGN_OR_RETURN(device_token_, *std::move(brought));
    if (detailed()) {
      detail_ = fmt::format("{} by the device task\n{}", iwa->name, ClaimsForPeople(device_token_));
    }
    return absl::OkStatus();
  }
  DT_ASSIGN_OR_RETURN(TokenAnswer answer, ProveTo(*iwa, Account::kComputer));
  device_token_ = std::move(answer.token);
  return absl::OkStatus();
}

absl::Status Enrollment::GetUserToken() {
  DT_ASSIGN_OR_RETURN(const IwaEntry* const iwa, ChosenIwa());
  DT_ASSIGN_OR_RETURN(TokenAnswer answer, ProveTo(*iwa, Account::kUser));
  user_token_ = std::move(answer.token);
  return absl::OkStatus();
}

absl::Status Enrollment::GetCertificate() {
  DT_ASSIGN_OR_RETURN(answer_, services_.Enroll(*discovery_, user_token_, csr_, renewed_));
  if (detailed()) {
    detail_ = fmt::format("CSR of {} bytes to {}", csr_.size(), discovery_->ca_address);
  }
  return absl::OkStatus();
}

absl::Status Enrollment::Install() {
  const auto unusable = [&](std::string_view what) {
    return rpc::MakeError(absl::StatusCode::kInternal, reason::v1::REASON_INTERNAL_ERROR,
                          fmt::format("The CA's answer is unusable: {}", what), computer_.name(),
                          "Look into the log of dt-ca.");
  };
  const auto certificate = pki::Certificate::FromDer(answer_.certificate_der);
  if (!certificate.ok()) return unusable(Text(certificate.status()));
  const auto certified = certificate->public_key();
  if (!certified.ok() || !(*certified == key_->signer.public_key())) {
    return unusable("it certifies another key");
  }
  if (certificate->issuer_common_name() != kIssuerCommonName) {
    return unusable(fmt::format("issuer is \"{}\"", certificate->issuer_common_name()));
  }
  std::vector<pki::Certificate> chain = {*certificate};
  chain.insert(chain.end(), answer_.issuers.begin(), answer_.issuers.end());
  // Of an earlier attempt that ended on the way out of the store.
  DT_ASSIGN_OR_RETURN(const std::vector<PersonalCertificate> ours, OurCertificates());
  const bool there = std::any_of(ours.begin(), ours.end(), [&](const PersonalCertificate& one) {
    return one.has_key && one.certificate.Fingerprint() == certificate->Fingerprint();
  });
  if (!there) {
    const WallTime renew_at = RenewalMoment(*certificate, answer_.renewal);
    DT_RETURN_IF_ERROR(computer_.InstallPersonal(chain, *key_, renew_at));
    DT_RETURN_IF_ERROR(CheckInstalled(*certificate));
  }
  serial_ = certificate->serial_hex();
  // The new one is usable: a browser that runs turns to it as the former one goes. What cannot be
  // removed now goes at the next run.
  left_behind_ = RemoveAllBut(*certificate);
  if (detailed()) {
    detail_ = fmt::format("serial {}, issuer {}, until {}", serial_,
                          certificate->issuer_common_name(), FormatUtc(certificate->not_after()));
  }
  return absl::OkStatus();
}

// Before anything is removed for its sake.
absl::Status Enrollment::CheckInstalled(const pki::Certificate& certificate) {
  DT_ASSIGN_OR_RETURN(const std::vector<PersonalCertificate> ours, OurCertificates());
  for (const PersonalCertificate& one : ours) {
    if (one.certificate.Fingerprint() != certificate.Fingerprint()) continue;
    if (one.has_key) return absl::OkStatus();
    return absl::UnavailableError("the certificate was installed, yet the store has no key for it");
  }
  return absl::UnavailableError("the certificate was installed, yet the store does not have it");
}

Outcome Enrollment::Enrolled() {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kEnrolled;
  outcome.serial = serial_;
  outcome.renewed = follows_;
  const std::string user = computer_.logged_on_user().value_or("the user");
  Event event{kEventEnrolled, EventLevel::kInformation,
              fmt::format("Device Trust certificate installed for {} (serial {}).", user, serial_)};
  if (follows_) {
    event.id = kEventRenewed;
    event.message = fmt::format("Device Trust certificate of {} renewed (serial {}, after {}).",
                                user, serial_, renewed_.serial);
  }
  if (!left_behind_.ok()) {
    event.level = EventLevel::kWarning;
    event.message += " The former one is still in the store: " + Text(left_behind_);
    event.remedy = "The next run removes it.";
  }
  computer_.WriteEvent(event);
  return outcome;
}

Outcome Enrollment::Conclude(const absl::Status& status) {
  Outcome outcome;
  outcome.status = status;
  outcome.failed_step = step_;
  const reason::v1::Reason why = rpc::ReasonOf(status);
  const auto detail = rpc::DetailOf(status);
  const std::string remedy =
      detail && !detail->remedy().empty() ? detail->remedy() : std::string(RemedyFor(why));
  const bool stale = WantsNewTokens(status);
  if (stale) DropTokens();
  // The CA will not certify this key any more, however fresh the token.
  if (why == reason::v1::REASON_TOKEN_REPLAYED || why == reason::v1::REASON_KEY_NOT_ACCEPTED ||
      why == reason::v1::REASON_KEY_COMPROMISED) {
    DropKey();
  }

  Event event{kEventRefused, EventLevel::kError,
              fmt::format("{} failed at \"{}\": {}", follows_ ? "Renewal" : "Enrollment",
                          StepName(step_), Text(status)),
              rpc::ReasonName(why), remedy};
  outcome.kind = Outcome::Kind::kRefused;
  if (stale || IsTransient(status)) {
    const bool again = attempts_ < options_.attempts_max;
    outcome.kind = again ? Outcome::Kind::kTryAgain : Outcome::Kind::kNotNow;
    if (again) outcome.pause = backoff_.Next(AskedPause(status));
    event.id = again ? kEventTryAgain : kEventNotNow;
    event.level = EventLevel::kWarning;
    // The servers may have moved meanwhile. Key, tokens and request stay.
    if (step_ != Step::kDiscover && attempts_ > 1) discovery_ = nullptr;
  }
  computer_.WriteEvent(event);
  return outcome;
}

void Enrollment::DropKey() {
  DropTokens();  // They are bound to it.
  key_.reset();
  computer_.DeletePendingKey();
}

void Enrollment::DropTokens() {
  device_token_.clear();
  user_token_.clear();
}

bool Enrollment::tokens_fresh() const { return clock_.Now() - tokens_since_ < kTokensUsable; }

}  // namespace devicetrust::agent
