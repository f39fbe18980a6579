// That an evaluation allocates nothing. This test binary has operators new of its own, which count;
// the array and nothrow forms of the standard library come down to those two.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "policy-engine/rules/random_policy_fixture.h"
#include "policy-engine/rules/sign_in.h"

// A sanitizer brings operators of its own.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DT_OPERATORS_ARE_TAKEN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DT_OPERATORS_ARE_TAKEN
#endif

namespace {

thread_local std::size_t allocations = 0;

}  // namespace

#ifndef DT_OPERATORS_ARE_TAKEN

void* operator new(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<std::size_t>(alignment);
  void* const memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#endif

namespace devicetrust::policy::random_policy {
namespace {

// People, groups and zones with names too long to lie within a string, and in every alphabet.
std::vector<Rule> HundredNamingRules() {
  std::mt19937_64 random(100);
  std::vector<Rule> rules;
  for (std::size_t i = 0; i < 100; ++i) {
    rules.push_back(RandomRule(random, AppKind::kOffice, i));
    const std::string number = std::to_string(i);
    rules.back().people.except_users.push_back("a user whom this rule excludes " + number);
    rules.back().people.except_groups.push_back("eine Gruppe, die größer heißt " + number);
    if (i % 3 == 0) {
      rules.back().people.everyone = false;
      rules.back().people.groups.push_back("a group that this rule includes " + number);
    }
  }
  return rules;
}

TEST(EvaluationMemoryTest, AnEvaluationOfAHundredRulesAllocatesNothing) {
#ifdef DT_OPERATORS_ARE_TAKEN
  GTEST_SKIP() << "a sanitizer counts allocations itself, and tells nobody";
#endif
  const auto policy =
      CompiledPolicy::Compile(HundredNamingRules(), AppKind::kOffice, Zones()).value();
  std::mt19937_64 random(1);
  const std::vector<std::optional<IpAddress>> addresses = Addresses();
  std::vector<SignIn> sign_ins(2000);
  for (SignIn& sign_in : sign_ins) {
    const std::string number = std::to_string(random() % 100);
    sign_in.user_id = "a user whom this rule excludes " + number;
    sign_in.groups = {"A GROUP THAT THIS RULE INCLUDES " + number,
                      "EINE GRUPPE, DIE GRÖßER HEIßT " + std::to_string(random() % 200), "g1"};
    sign_in.address = addresses[random() % addresses.size()];
    sign_in.client = static_cast<ClientKind>(random() % (kClientKindCount + 1));
    sign_in.claimed_platform = static_cast<Platform>(random() % (kPlatformCount + 1));
    sign_in.trust = static_cast<Trust>(random() % kTrustCount);
    if (random() % 2 == 0) sign_in.factor_ago = std::chrono::minutes(random() % 60);
  }
  std::vector<std::size_t> decided(policy->rules().size() + 1);
  const std::size_t before = allocations;
  for (const SignIn& sign_in : sign_ins) ++decided[policy->Evaluate(sign_in.facts()).rule];
  EXPECT_EQ(allocations, before);

  // The count is one, and many rules were met.
  EXPECT_GT(std::count_if(decided.begin(), decided.end(), [](std::size_t n) { return n > 0; }), 5);
  const auto text = std::make_unique<std::string>("seen");
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace devicetrust::policy::random_policy
