#include "policy-engine/decisions/policy_analysis.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/decision_words.h"
#include "policy-engine/decisions/sign_on_facts.h"
#include "policy-engine/enrollment/enrollment_store.h"
#include "policy-engine/rules/analysis.h"
#include "policy-engine/rules/finding_words.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/rules_wire/analysis_messages.h"
#include "policy-engine/rules_wire/rule_messages.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::seconds;

constexpr int kPeopleAtATime = 1000;
constexpr int kAddedGroupsMax = 1000;  // That a request may add.
constexpr std::size_t kSupposedNameBytesMax = 256;

absl::Status Malformed(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

// Ten years: beyond any interval of a rule, and of any clock's range.
absl::StatusOr<seconds> AgeOf(const google::protobuf::Duration& age, const char* field) {
  constexpr seconds kAgeMax = std::chrono::days{3650};
  if (age.seconds() < 0 || age.nanos() != 0 || age.seconds() > kAgeMax.count()) {
    return Malformed("an age is whole seconds, 0 to ten years", field);
  }
  return seconds(age.seconds());
}

absl::Status CheckSupposed(const v1::SupposedSignIn& supposed) {
  if (!supposed.address().empty() && !IpAddress::Parse(supposed.address())) {
    return Malformed("that is no IP address; leave it out for an unknown one", "sign_in.address");
  }
  if (supposed.groups_size() > kAddedGroupsMax) {
    return Malformed("at most 1,000 groups may be added", "sign_in.groups");
  }
  for (const std::string& group : supposed.groups()) {
    if (group.size() > kSupposedNameBytesMax)
      return Malformed("a name is too long", "sign_in.groups");
  }
  if (supposed.user().size() > kSupposedNameBytesMax)
    return Malformed("a name is too long", "sign_in.user");
  return absl::OkStatus();
}

// As JudgeDevice() of a sign-on: where no rule asks, nothing is known without a certificate.
Trust TrustOf(const v1::WhatIfRequest& request, const DraftPolicy& draft) {
  bool on = draft.state->DeviceTrustEffective();
  if (request.device_trust() == v1::DEVICE_TRUST_SWITCH_ON) on = true;
  if (request.device_trust() == v1::DEVICE_TRUST_SWITCH_OFF) on = false;
  const Trust shown = TrustFromMessage(request.sign_in().trust());
  if (!on || (!draft.policy->uses_trust() && shown == Trust::kNotEvaluated)) {
    return Trust::kNotEvaluated;
  }
  return shown == Trust::kTrusted ? Trust::kTrusted : Trust::kNotTrusted;
}

// What would be known of the sign-in, as a decision keeps it.
absl::StatusOr<v1::Decision> KnownOf(const v1::WhatIfRequest& request, const DraftPolicy& draft,
                                     v1::User user, WallTime now) {
  const v1::SupposedSignIn& supposed = request.sign_in();
  v1::Decision known;
  *known.mutable_at() = rpc::ToTimestamp(now);
  known.set_app_id(draft.app->app.id());
  known.set_app_label(draft.app->app.label());
  for (const std::string& group : supposed.groups()) user.add_groups(group);
  *known.mutable_user() = std::move(user);
  known.mutable_client()->set_address(supposed.address());
  known.mutable_client()->set_user_agent(supposed.user_agent().substr(0, kUserAgentBytesRead));
  known.set_client_kind(ToMessage(ClientFromMessage(supposed.client_kind())));
  const Platform claimed = PlatformFromMessage(supposed.claimed_platform());
  known.set_claimed_platform(ToMessage(
      claimed == Platform::kUnknown ? PlatformFromUserAgent(supposed.user_agent()) : claimed));
  known.set_verified_platform(ToMessage(PlatformFromMessage(supposed.verified_platform())));
  const Trust trust = TrustOf(request, draft);
  known.set_trust(ToMessage(trust));
  if (trust == Trust::kNotTrusted) {
    const bool said = supposed.trust_reason() != reason::v1::REASON_UNSPECIFIED;
    known.set_trust_reason(said ? supposed.trust_reason()
                                : reason::v1::REASON_CERTIFICATE_NOT_PRESENTED);
  }
  DT_ASSIGN_OR_RETURN(const seconds password,
                      AgeOf(supposed.password_age(), "sign_in.password_age"));
  *known.mutable_authenticated_at() = rpc::ToTimestamp(now - password);
  if (supposed.has_factor_age()) {
    DT_ASSIGN_OR_RETURN(const seconds factor, AgeOf(supposed.factor_age(), "sign_in.factor_age"));
    *known.mutable_factor_at() = rpc::ToTimestamp(now - factor);
  }
  return known;
}

// Of the rules as a whole, not of one.
bool IsOfAll(FindingKind kind) {
  return kind == FindingKind::kUntrustedNeverDenied || kind == FindingKind::kLocksEverybodyOut;
}

v1::PolicyFinding::Kind ToMessage(FindingKind kind) {
  switch (kind) {
    case FindingKind::kNeverReached:
      return v1::PolicyFinding::KIND_NEVER_REACHED;
    case FindingKind::kReachedOnlyWithoutDeviceTrust:
      return v1::PolicyFinding::KIND_REACHED_ONLY_WITHOUT_DEVICE_TRUST;
    case FindingKind::kNobodyCanMeet:
      return v1::PolicyFinding::KIND_NOBODY_CAN_MEET;
    case FindingKind::kNoEnrolledDevice:
      return v1::PolicyFinding::KIND_NO_ENROLLED_DEVICE;
    case FindingKind::kShadowedInPart:
      return v1::PolicyFinding::KIND_SHADOWED_IN_PART;
    case FindingKind::kFallsToDefault:
      return v1::PolicyFinding::KIND_FALLS_TO_DEFAULT;
    case FindingKind::kFallsToDefaultWithoutDeviceTrust:
      return v1::PolicyFinding::KIND_FALLS_TO_DEFAULT_WITHOUT_DEVICE_TRUST;
    case FindingKind::kUntrustedNeverDenied:
      return v1::PolicyFinding::KIND_UNTRUSTED_NEVER_DENIED;
    case FindingKind::kAdmitsUntrusted:
      return v1::PolicyFinding::KIND_ADMITS_UNTRUSTED;
    case FindingKind::kAdmitsUntrustedByName:
      return v1::PolicyFinding::KIND_ADMITS_UNTRUSTED_BY_NAME;
    case FindingKind::kLocksEverybodyOut:
      break;
  }
  return v1::PolicyFinding::KIND_LOCKS_EVERYBODY_OUT;
}

// Puts people's names in the place of their ids, where the org knows them.
void NamePerson(db::Transaction& txn, SignIn& example) {
  if (example.user_id.empty() || !example.principal.empty()) return;
  const auto user = FindUserById(txn, example.user_id);
  if (user.ok()) example.principal = user->user.principal();
}

// The people who may sign in, and their devices.
absl::Status AddPeople(db::Database& database, Population& people) {
  DT_ASSIGN_OR_RETURN(const EnrolledPlatforms enrolled, database.Read([](db::Transaction& txn) {
    return FindEnrolledPlatforms(txn);
  }));
  std::string after;
  while (true) {
    DT_ASSIGN_OR_RETURN(const std::vector<PersonRow> page,
                        database.Read([&after](db::Transaction& txn) {
                          return ListPeopleAfter(txn, after, kPeopleAtATime);
                        }));
    for (const PersonRow& person : page) {
      if (!person.active) continue;
      const auto devices = enrolled.find(person.id);
      people.Add(person.id, person.principal, person.groups,
                 devices == enrolled.end() ? std::uint8_t{0} : devices->second);
    }
    if (page.size() < kPeopleAtATime) return absl::OkStatus();
    after = page.back().id;
  }
}

v1::PolicyFinding ToMessage(const CompiledPolicy& policy, const Finding& finding) {
  v1::PolicyFinding message;
  message.set_kind(ToMessage(finding.kind));
  message.set_warning(SeverityOf(finding.kind) == Severity::kWarning);
  if (!IsOfAll(finding.kind)) *message.mutable_rule() = ReferenceTo(policy, finding.rule);
  for (const std::size_t other : finding.others) *message.add_others() = ReferenceTo(policy, other);
  message.set_message(Describe(policy, finding));
  *message.mutable_example() = policy::ToMessage(finding.example);
  message.set_example_text(finding.example.Describe());
  return message;
}

}  // namespace

absl::StatusOr<v1::WhatIfResponse> PolicyAnalysis::WhatIf(const v1::WhatIfRequest& request) const {
  DT_RETURN_IF_ERROR(CheckSupposed(request.sign_in()));
  DT_ASSIGN_OR_RETURN(const DraftPolicy draft, drafts_.Compile(request.policy()));
  v1::User user;
  if (!request.sign_in().user().empty()) {
    const auto find = [&request](db::Transaction& txn) {
      return FindUserNamed(txn, request.sign_in().user());
    };
    DT_ASSIGN_OR_RETURN(StoredUser found, database_.Read(find));
    user = KeptUser(found.user);
  }
  DT_ASSIGN_OR_RETURN(v1::Decision decision,
                      KnownOf(request, draft, std::move(user), clock_.Now()));
  Decide(*draft.policy, decision);
  const KnownFacts known(decision);
  const Decision decided = draft.policy->Evaluate(known.facts());
  v1::WhatIfResponse response;
  response.set_needs_device_challenge(draft.policy->uses_trust() &&
                                      decision.trust() != v1::TRUST_STATE_UNSPECIFIED);
  AddTrace(Explain(*draft.policy, known.facts(), decided, WordsFor(decision.trust_reason()),
                   Scope::kAll),
           *decision.mutable_rules());
  *response.mutable_decision() = std::move(decision);
  return response;
}

absl::StatusOr<v1::AnalyzePolicyResponse> PolicyAnalysis::Analyze(
    const v1::AnalyzePolicyRequest& request) const {
  DT_ASSIGN_OR_RETURN(const DraftPolicy draft, drafts_.Compile(request.policy()));
  Population people(*draft.policy);
  if (!request.rules_alone()) DT_RETURN_IF_ERROR(AddPeople(database_, people));
  policy::Analysis analysis =
      policy::Analyze(*draft.policy, request.rules_alone() ? nullptr : &people);
  DT_RETURN_IF_ERROR(database_.Read([&analysis](db::Transaction& txn) {
    for (Finding& finding : analysis.findings) {
      NamePerson(txn, finding.example);
    }
    return absl::OkStatus();
  }));
  v1::AnalyzePolicyResponse response;
  for (const Finding& finding : analysis.findings) {
    *response.add_findings() = ToMessage(*draft.policy, finding);
  }
  response.set_bound(analysis.bound);
  return response;
}

absl::StatusOr<v1::ComparePoliciesResponse> PolicyAnalysis::Compare(
    const v1::ComparePoliciesRequest& request) const {
  DT_ASSIGN_OR_RETURN(const DraftPolicy before, drafts_.Compile(request.before()));
  DT_ASSIGN_OR_RETURN(const DraftPolicy after, drafts_.Compile(request.after()));
  if (before.policy->kind() != after.policy->kind()) {
    return Malformed(
        "one app tells clients apart and the other does not: their rules can't be "
        "compared",
        request.after().app_id());
  }
  Comparison comparison = policy::Compare(*before.policy, *after.policy);
  DT_RETURN_IF_ERROR(database_.Read([&comparison](db::Transaction& txn) {
    for (Difference& difference : comparison.differences) NamePerson(txn, difference.example);
    return absl::OkStatus();
  }));
  return policy::ToMessage(*before.policy, *after.policy, comparison);
}

}  // namespace devicetrust::policy
