#include "policy-engine/rules/sign_in.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace devicetrust::policy {
namespace {

std::string Who(const SignIn& sign_in) {
  std::string who = sign_in.principal.empty() ? sign_in.user_id : sign_in.principal;
  if (!sign_in.groups.empty()) {
    const std::string groups = fmt::format("{}", fmt::join(sign_in.groups, ", "));
    return who.empty() ? "a member of " + groups : fmt::format("{} in {}", who, groups);
  }
  return who.empty() ? "anybody else" : who;
}

std::string Age(std::chrono::seconds age) {
  if (age.count() % 60 != 0 || age.count() == 0) return fmt::format("{} s", age.count());
  return fmt::format("{} min", age.count() / 60);
}

}  // namespace

Facts SignIn::facts(WallTime now) const {
  Facts facts;
  facts.user_id = user_id;
  facts.principal = principal;
  facts.groups = groups;
  facts.address = address;
  facts.client = client;
  facts.claimed_platform = claimed_platform;
  facts.verified_platform = verified_platform;
  facts.trust = trust;
  facts.now = now;
  facts.authenticated_at = now - authenticated_ago;
  if (factor_ago) facts.factor_at = now - *factor_ago;
  return facts;
}

std::string SignIn::Describe() const {
  const Platform platform = verified_platform.value_or(claimed_platform);
  std::string text = fmt::format(
      "{}, from {}, {} on {}, device {}", Who(*this),
      address ? address->ToString() : std::string("an unknown address"),
      client == ClientKind::kUnknown ? "unknown client" : Name(client),
      platform == Platform::kUnknown ? "unknown platform" : Name(platform), Name(trust));
  if (authenticated_ago.count() != 0) {
    text += fmt::format(", password {} ago", Age(authenticated_ago));
  }
  if (factor_ago) text += fmt::format(", factor {} ago", Age(*factor_ago));
  return text;
}

}  // namespace devicetrust::policy
