// What every declaration of options must hold, whatever its options are. Tests only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/service/options.h"

namespace devicetrust::testing {

inline service::TomlValue AnotherValue(const service::Option& option) {
  using Kind = service::Option::Kind;
  const std::optional<service::TomlValue> now = option.get();
  switch (option.kind) {
    case Kind::kText:
      return std::get<std::string>(*now) + " other \"\\#\n\x7f=['é";
    case Kind::kChoice: {
      const auto other = std::ranges::find_if(option.choices, [&now](const std::string& choice) {
        return !now.has_value() || std::get<std::string>(*now) != choice;
      });
      DT_CHECK(other != option.choices.end());
      return *other;
    }
    case Kind::kNumber:
      DT_CHECK(option.min < option.max);
      return std::get<std::int64_t>(*now) == option.max ? option.min : option.max;
    case Kind::kSwitch:
      return !std::get<bool>(*now);
    case Kind::kTexts: {
      auto texts = std::get<std::vector<std::string>>(*now);
      texts.insert(texts.end(), {"other", "one, \"two\""});
      return texts;
    }
    case Kind::kGroups:
      break;
  }
  auto tables = std::get<std::vector<service::TomlTable>>(*now);
  tables.resize(tables.size() + 2);
  return tables;
}

// Sets every option, and those of two more items in every group, to another value than it has.
inline void ChangeAll(const service::Options& options) {
  for (const service::Option& option : options.all()) {
    option.set(AnotherValue(option));
    if (option.kind != service::Option::Kind::kGroups) continue;
    const std::size_t items = std::get<std::vector<service::TomlTable>>(*option.get()).size();
    for (std::size_t at = 0; at < items; ++at) ChangeAll(option.item(at));
  }
}

// The octets of `config` that belong to no option, but for what may be padding: 0, unless a member
// of 8 octets or more has none. (A smaller one may hide where padding could be.)
template <typename Config>
std::size_t OctetsWithoutOption(const Config& config, const service::Options& options) {
  const auto* const begin = reinterpret_cast<const std::byte*>(&config);
  std::vector<std::pair<const std::byte*, const std::byte*>> members;
  for (const service::Option& option : options.all()) {
    const std::byte* const member = option.member.data();
    members.emplace_back(member, member + option.member.size());
  }
  members.emplace_back(begin + sizeof(Config), begin + sizeof(Config));
  std::ranges::sort(members);
  std::size_t octets = 0;
  const std::byte* at = begin;
  for (const auto& [member, end] : members) {
    const auto gap = static_cast<std::size_t>(member - at);
    if (gap >= alignof(std::max_align_t) / 2) octets += gap;
    at = end;
  }
  return octets;
}

}  // namespace devicetrust::testing
