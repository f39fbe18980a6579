// The values that a rule's conditions range over (POL-2). Unknown is a value of its
// own in each of them: it is what an input without evidence gets, and no rule can name it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace devicetrust::policy {

enum class Platform : std::uint8_t {
  kUnknown,
  kIos,
  kAndroid,
  kOtherMobile,
  kWindows,
  kMacos,
  kOtherDesktop,
};
inline constexpr int kPlatformCount = 6;  // Without kUnknown.

enum class ClientKind : std::uint8_t {
  kUnknown,
  kWebBrowser,
  kModernAuth,
  kLegacyAuth,  // Exchange ActiveSync, or another protocol with basic authentication.
};
inline constexpr int kClientKindCount = 3;  // Without kUnknown.

// What a sign-in has shown about its device.
enum class Trust : std::uint8_t {
  // Device Trust is off, or no rule of the app asks: neither Trusted nor Not trusted matches.
  kNotEvaluated,
  kTrusted,
  kNotTrusted,  // Also when no challenge was made, or its proof does not hold.
};
inline constexpr int kTrustCount = 3;

std::string_view Name(Platform platform);  // "Windows", "other mobile", "unknown", ...
std::string_view Name(ClientKind client);
std::string_view Name(Trust trust);

// A selection of the named values of `T`. All of them together mean "any", and so match an
// unknown value as well: a catch-all rule must catch what nobody could classify. A smaller
// selection never matches an unknown value.
template <typename T, int Count>
class Selection {
 public:
  constexpr Selection() = default;  // Nothing selected: matches nothing.
  constexpr Selection(std::initializer_list<T> values) {
    for (const T value : values) Add(value);
  }
  static constexpr Selection All() {
    Selection all;
    all.bits_ = kAllBits;
    return all;
  }

  constexpr void Add(T value) { bits_ = static_cast<std::uint8_t>(bits_ | Bit(value)); }
  constexpr bool Has(T value) const { return (bits_ & Bit(value)) != 0; }
  constexpr bool IsAll() const { return bits_ == kAllBits; }
  constexpr bool IsEmpty() const { return bits_ == 0; }
  constexpr bool Matches(T value) const { return value == T::kUnknown ? IsAll() : Has(value); }
  friend constexpr bool operator==(Selection, Selection) = default;

  std::string Describe() const {  // "any", or "iOS, Android".
    if (IsAll()) return "any";
    std::string text;
    for (int i = 1; i <= Count; ++i) {
      const T value = static_cast<T>(i);
      if (!Has(value)) continue;
      if (!text.empty()) text += ", ";
      text += Name(value);
    }
    return text.empty() ? "none" : text;
  }

 private:
  static constexpr std::uint8_t kAllBits = static_cast<std::uint8_t>((1u << Count) - 1);
  static constexpr std::uint8_t Bit(T value) {
    return value == T::kUnknown
               ? std::uint8_t{0}
               : static_cast<std::uint8_t>(1u << (static_cast<unsigned>(value) - 1));
  }
  std::uint8_t bits_ = 0;
};

using PlatformSelection = Selection<Platform, kPlatformCount>;
using ClientSelection = Selection<ClientKind, kClientKindCount>;

}  // namespace devicetrust::policy
