// Sets of small numbers, such as the rules of one app: bits in place, so that evaluating and
// analysing rules costs a few instructions for each condition and no memory.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "policy-engine/rules/rules.h"

namespace devicetrust::policy {

template <std::size_t Count>
class BitSet {
 public:
  static constexpr std::size_t kWords = (Count + 63) / 64;

  constexpr BitSet() = default;
  // The members before `count`.
  static constexpr BitSet FirstOnes(std::size_t count) {
    BitSet set;
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

  constexpr void Add(std::size_t one) { words_[one / 64] |= std::uint64_t{1} << (one % 64); }
  constexpr void Remove(std::size_t one) { words_[one / 64] &= ~(std::uint64_t{1} << (one % 64)); }
  constexpr bool Has(std::size_t one) const { return (words_[one / 64] >> (one % 64) & 1) != 0; }
  constexpr bool Meets(const BitSet& other) const {
    std::uint64_t common = 0;
    for (std::size_t word = 0; word < kWords; ++word) common |= words_[word] & other.words_[word];
    return common != 0;
  }
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
  // The first member at or after `from`; `none` when there is none.
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

  constexpr BitSet& operator&=(const BitSet& other) {
    for (std::size_t word = 0; word < kWords; ++word) words_[word] &= other.words_[word];
    return *this;
  }
  constexpr BitSet& operator|=(const BitSet& other) {
    for (std::size_t word = 0; word < kWords; ++word) words_[word] |= other.words_[word];
    return *this;
  }
  constexpr BitSet& operator-=(const BitSet& other) {
    for (std::size_t word = 0; word < kWords; ++word) words_[word] &= ~other.words_[word];
    return *this;
  }
  friend constexpr BitSet operator&(BitSet a, const BitSet& b) { return a &= b; }
  friend constexpr BitSet operator|(BitSet a, const BitSet& b) { return a |= b; }
  friend constexpr BitSet operator-(BitSet a, const BitSet& b) { return a -= b; }
  friend constexpr bool operator==(const BitSet&, const BitSet&) = default;

  struct Hash {
    constexpr std::size_t operator()(const BitSet& set) const {
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

using RuleSet = BitSet<kRulesPerAppMax>;

}  // namespace devicetrust::policy
