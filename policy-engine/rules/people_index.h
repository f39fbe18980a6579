// The people conditions of all rules of an app at once: one look-up for the user and one for each
// of their groups tell which rules hold, however many people the rules name.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
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
  // What a name says: which rules it puts somebody in, and which exclude them. A line of the
  // processor's cache.
  struct alignas(64) Said {
    RuleSet in;
    RuleSet out;
    friend bool operator==(const Said&, const Said&) = default;
  };

  // Names, each with a number of said_, in one array that is at most half full: most names that are
  // looked for are not there, and an empty place says so.
  template <typename Hash, typename Equal>
  class Names {
   public:
    template <typename Map>  // Of names to numbers.
    explicit Names(const Map& numbers);
    Names() = default;
    bool empty() const { return places_.empty(); }
    // 0: nobody said anything of it.
    std::uint32_t Find(std::string_view name) const;

   private:
    struct Place {
      std::uint32_t hash = 0;  // Its upper half.
      std::uint32_t said = 0;  // 0: empty.
      std::uint32_t begin = 0;
      std::uint32_t size = 0;
    };
    std::vector<Place> places_;  // A power of two of them, or none.
    std::string text_;           // Of all names.
  };

  // Names of users compare to the octet, those of groups as in the directory. Few of thousands of
  // names say something different, so that each is a number of one of them.
  Names<TextHash, std::equal_to<std::string_view>> users_;
  Names<NameHash, NameEqual> groups_;
  std::vector<Said> said_{Said()};  // The first says nothing.
  RuleSet everyone_;
};

}  // namespace devicetrust::policy
