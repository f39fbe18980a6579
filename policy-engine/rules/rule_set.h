// Which rules of one app: a fixed set of bits, so that evaluating and analysing rules costs a few
// instructions for each condition and no memory.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "policy-engine/rules/rules.h"

namespace devicetrust::policy {

class RuleSet {
 public:
  static constexpr std::size_t kWords = (kRulesPerAppMax + 63) / 64;

  constexpr RuleSet() = default;
  // The rules before `count`.
  static constexpr RuleSet FirstOnes(std::size_t count) {
    RuleSet set;
    for (std::size_t word = 0; word < kWords; ++word) {
      const std::size_t from = word * 64;
      if (count >= from + 64) {
        set.words_[word] = ~std::uint64_t{0};
      } else if (count > from) {
        set.words_[word] = (std::uint64_t{1} << (count - from)) - 1;
      }
    }
    return set;
  }

  constexpr void Add(std::size_t rule) { words_[rule / 64] |= std::uint64_t{1} << (rule % 64); }
  constexpr bool Has(std::size_t rule) const { return (words_[rule / 64] >> (rule % 64) & 1) != 0; }
  constexpr bool empty() const {
    std::uint64_t any = 0;
    for (const std::uint64_t word : words_) any |= word;
    return any == 0;
  }
  constexpr std::size_t size() const {
    int bits = 0;
    for (const std::uint64_t word : words_) bits += std::popcount(word);
    return static_cast<std::size_t>(bits);
  }
  // The first rule at or after `from`; `none` when there is none.
  constexpr std::size_t First(std::size_t none, std::size_t from = 0) const {
    for (std::size_t word = from / 64; word < kWords; ++word) {
      std::uint64_t bits = words_[word];
      if (word == from / 64) bits &= ~std::uint64_t{0} << (from % 64);
      if (bits != 0) return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
    }
    return none;
  }
  template <typename Visit>
  constexpr void ForEach(const Visit& visit) const {
    for (std::size_t word = 0; word < kWords; ++word) {
      for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        visit(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
      }
    }
  }

  constexpr RuleSet& operator&=(const RuleSet& other) {
    for (std::size_t word = 0; word < kWords; ++word) words_[word] &= other.words_[word];
    return *this;
  }
  constexpr RuleSet& operator|=(const RuleSet& other) {
    for (std::size_t word = 0; word < kWords; ++word) words_[word] |= other.words_[word];
    return *this;
  }
  constexpr RuleSet& operator-=(const RuleSet& other) {
    for (std::size_t word = 0; word < kWords; ++word) words_[word] &= ~other.words_[word];
    return *this;
  }
  friend constexpr RuleSet operator&(RuleSet a, const RuleSet& b) { return a &= b; }
  friend constexpr RuleSet operator|(RuleSet a, const RuleSet& b) { return a |= b; }
  friend constexpr RuleSet operator-(RuleSet a, const RuleSet& b) { return a -= b; }
  friend constexpr bool operator==(const RuleSet&, const RuleSet&) = default;

  struct Hash {
    constexpr std::size_t operator()(const RuleSet& set) const {
      std::uint64_t hash = 0;
      for (const std::uint64_t word : set.words_) {
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
      }
      return static_cast<std::size_t>(hash);
    }
  };

 private:
  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace devicetrust::policy
