// A class of octets as a table: one load each where text is looked at octet by octet.
#pragma once

#include <array>
#include <string_view>

namespace devicetrust {

class OctetClass {
 public:
  // Of those for which `contains` is true: `constexpr OctetClass kDigits(IsDigit);`
  constexpr explicit OctetClass(bool (*contains)(char)) {
    for (int octet = 0; octet < 256; ++octet) {
      table_[static_cast<std::size_t>(octet)] = contains(static_cast<char>(octet));
    }
  }

  constexpr bool operator()(char c) const { return table_[static_cast<unsigned char>(c)]; }

  // How many octets at the front of `text` are of the class.
  constexpr std::size_t Run(std::string_view text) const {
    std::size_t run = 0;
    while (run < text.size() && (*this)(text[run])) ++run;
    return run;
  }
  constexpr bool HasAll(std::string_view text) const { return Run(text) == text.size(); }

 private:
  std::array<bool, 256> table_{};
};

}  // namespace devicetrust
