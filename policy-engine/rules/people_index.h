// The people conditions of all rules of an app at once: one look-up for the user and one for each
// of their groups tell which rules hold, however many people the rules name.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/base/names.h"
#include "policy-engine/rules/rule_set.h"

namespace devicetrust::policy {

// Immutable and thread-safe.
class PeopleIndex {
 public:
  PeopleIndex() = default;
  explicit PeopleIndex(std::span<const Rule> rules);

  // The rules whose people condition holds for this user with these groups. Allocates nothing.
  RuleSet Match(std::string_view user_id, std::span<const std::string> groups) const;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  // What a name says: which rules it puts somebody in, and which exclude them.
  struct Said {
    RuleSet in;
    RuleSet out;
    friend bool operator==(const Said&, const Said&) = default;
  };

  // Names of users compare to the octet, those of groups as in the directory. Few of thousands of
  // names say something different, so that each is a number of one of them.
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> users_;
  std::unordered_map<std::string, std::uint32_t, NameHash, NameEqual> groups_;
  std::vector<Said> said_;
  RuleSet everyone_;
};

}  // namespace devicetrust::policy
