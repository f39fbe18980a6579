// Every sign-in there may be, cut into cells: in a cell only the person varies. What rules ask of
// address, client, platform and trust is the same all over a cell.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "policy-engine/rules/evaluation.h"
#include "policy-engine/rules/people_space.h"
#include "policy-engine/rules/sign_in.h"

namespace devicetrust::policy {

// In the order in which examples are looked for: the usual before the odd.
inline constexpr std::array kTrustsInOrder = {Trust::kNotTrusted, Trust::kTrusted,
                                              Trust::kNotEvaluated};

struct SignInCell {
  // The active rules of either policy whose location, client and platform hold; trust is left open.
  RuleSet a, b;
  std::optional<IpAddress> address;
  ClientKind client = ClientKind::kUnknown;  // One of them; these and those below are all of them.
  Platform platform = Platform::kUnknown;
  std::uint8_t clients = 0;  // Bit i: the client of value i.
  std::uint8_t platforms = 0;

  SignIn Example(Trust trust) const;
};

// Cells of which some are more than this are merged no further, and not all are given.
inline constexpr std::size_t kSignInCellsMax = 100'000;

// `a` and `b` may be one. Cells that look alike to all rules are one. nullopt: more than
// kSignInCellsMax.
std::optional<std::vector<SignInCell>> CellsOf(const CompiledPolicy& a, const CompiledPolicy& b);

// `person` in the place of whoever `cell` leaves open.
SignIn ExampleOf(const SignInCell& cell, Trust trust, const Person& person);

}  // namespace devicetrust::policy
