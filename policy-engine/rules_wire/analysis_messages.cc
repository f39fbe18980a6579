#include "policy-engine/rules_wire/analysis_messages.h"

#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

v1::SupposedSignIn ToMessage(const SignIn& sign_in) {
  v1::SupposedSignIn message;
  message.set_user(sign_in.principal.empty() ? sign_in.user_id : sign_in.principal);
  for (const std::string& group : sign_in.groups) message.add_groups(group);
  if (sign_in.address) message.set_address(sign_in.address->ToString());
  message.set_client_kind(ToMessage(sign_in.client));
  message.set_claimed_platform(ToMessage(sign_in.claimed_platform));
  if (sign_in.verified_platform) {
    message.set_verified_platform(ToMessage(*sign_in.verified_platform));
  }
  message.set_trust(ToMessage(sign_in.trust));
  if (sign_in.authenticated_ago.count() > 0) {
    message.mutable_password_age()->set_seconds(sign_in.authenticated_ago.count());
  }
  if (sign_in.factor_ago) message.mutable_factor_age()->set_seconds(sign_in.factor_ago->count());
  return message;
}

v1::RuleReference ReferenceTo(const CompiledPolicy& policy, std::size_t rule) {
  v1::RuleReference reference;
  reference.set_index(static_cast<std::int32_t>(rule + 1));
  reference.set_name(policy.rule(rule).name);
  return reference;
}

v1::ComparePoliciesResponse ToMessage(const CompiledPolicy& before, const CompiledPolicy& after,
                                      const Comparison& comparison) {
  v1::ComparePoliciesResponse response;
  response.set_equivalent(comparison.Equivalent());
  for (const Difference& one : comparison.differences) {
    v1::PolicyDifference& message = *response.add_differences();
    *message.mutable_before() = ReferenceTo(before, one.before);
    *message.mutable_after() = ReferenceTo(after, one.after);
    message.set_outcome_before(ToMessage(one.outcome_before));
    message.set_outcome_after(ToMessage(one.outcome_after));
    *message.mutable_example() = ToMessage(one.example);
    message.set_example_text(one.example.Describe());
  }
  response.set_bound(comparison.bound);
  return response;
}

}  // namespace devicetrust::policy
