#include "policy-engine/rules/sign_in_space.h"

#include <unordered_map>
#include <utility>

namespace devicetrust::policy {
namespace {

constexpr std::array kClientsInOrder = {ClientKind::kWebBrowser, ClientKind::kModernAuth,
                                        ClientKind::kLegacyAuth, ClientKind::kUnknown};
constexpr std::array kPlatformsInOrder = {
    Platform::kWindows,     Platform::kMacos,        Platform::kIos,    Platform::kAndroid,
    Platform::kOtherMobile, Platform::kOtherDesktop, Platform::kUnknown};

struct PairHash {
  std::size_t operator()(const std::pair<RuleSet, RuleSet>& pair) const {
    return RuleSet::Hash{}(pair.first) * 31 + RuleSet::Hash{}(pair.second);
  }
};

template <typename T>
constexpr std::uint8_t BitOf(T value) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(value));
}

}  // namespace

SignIn SignInCell::Example(Trust trust) const {
  SignIn sign_in;
  sign_in.address = address;
  sign_in.client = client;
  sign_in.claimed_platform = platform;
  sign_in.trust = trust;
  return sign_in;
}

SignIn ExampleOf(const SignInCell& cell, Trust trust, const Person& person) {
  SignIn sign_in = cell.Example(trust);
  sign_in.user_id = person.user_id();
  sign_in.groups = person.Groups();
  return sign_in;
}

std::optional<std::vector<SignInCell>> CellsOf(const CompiledPolicy& a, const CompiledPolicy& b) {
  std::vector<SignInCell> cells;
  std::unordered_map<std::pair<RuleSet, RuleSet>, std::size_t, PairHash> known;
  bool fits = true;
  const auto add = [&](const RuleSet& here_a, const RuleSet& here_b,
                       const std::optional<IpAddress>& address) {
    for (const ClientKind client : kClientsInOrder) {
      for (const Platform platform : kPlatformsInOrder) {
        const RuleSet of_a = here_a & a.Of(client) & a.Of(platform) & a.active();
        const RuleSet of_b = here_b & b.Of(client) & b.Of(platform) & b.active();
        const auto [at, fresh] = known.emplace(std::pair(of_a, of_b), cells.size());
        if (fresh) cells.push_back({of_a, of_b, address, client, platform});
        cells[at->second].clients |= BitOf(client);
        cells[at->second].platforms |= BitOf(platform);
      }
    }
    fits = fits && cells.size() <= kSignInCellsMax;
  };
  PlaceIndex::ForEachPlace(a.places(), b.places(),
                           [&](const RuleSet& of_a, const RuleSet& of_b, const auto& address) {
                             if (fits) add(of_a, of_b, address);
                           });
  if (!fits) return std::nullopt;
  return cells;
}

}  // namespace devicetrust::policy
