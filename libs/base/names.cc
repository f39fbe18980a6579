#include "libs/base/names.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "libs/base/ascii.h"

namespace devicetrust {
namespace {

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// ICU's macros narrow octets.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"

// What stands at `at`, which moves behind it: negative for a byte that is not of UTF-8.
UChar32 NextCharacter(std::string_view text, std::size_t& at) {
  UChar32 c = 0;
  U8_NEXT(text.data(), at, text.size(), c);
  return c;
}

// What stands before the end of `text`, which becomes shorter by it.
UChar32 TakeLastCharacter(std::string_view& text) {
  auto at = static_cast<std::int32_t>(text.size());
  UChar32 c = 0;
  U8_PREV(text.data(), 0, at, c);
  text = text.substr(0, static_cast<std::size_t>(at));
  return c;
}

std::size_t Encode(UChar32 c, char* bytes) {
  std::size_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  return size;
}

#pragma GCC diagnostic pop

bool IsBlankCharacter(UChar32 c) {
  return c >= 0 && (u_isUWhiteSpace(c) != 0 ||
                    u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0);
}

void AppendFolded(UChar32 c, std::string& out) {
  char bytes[U8_MAX_LENGTH];
  out.append(bytes, Encode(u_foldCase(c, U_FOLD_CASE_DEFAULT), bytes));
}

// FoldName() of a name, octet by octet, without memory for it.
class FoldedBytes {
 public:
  explicit FoldedBytes(std::string_view name) : name_(name) {}
  std::optional<char> Next() {  // Nothing: at the end.
    if (given_ < size_) return character_[given_++];
    if (at_ == name_.size()) return std::nullopt;
    if (IsAscii(name_[at_])) return ToLower(name_[at_++]);
    return NextOfCharacter();
  }

 private:
  char NextOfCharacter() {
    const std::size_t begin = at_;
    const UChar32 c = NextCharacter(name_, at_);
    given_ = 1;
    if (c < 0) {  // Octet by octet what is not UTF-8.
      at_ = begin + 1;
      size_ = 0;
      return name_[begin];
    }
    size_ = Encode(u_foldCase(c, U_FOLD_CASE_DEFAULT), character_);
    return character_[0];
  }

  std::string_view name_;
  std::size_t at_ = 0;
  char character_[U8_MAX_LENGTH] = {};  // Folded; the first `given_` of `size_` octets are given.
  std::size_t given_ = 0;
  std::size_t size_ = 0;
};

// Most names are ASCII, eight octets of which fold and compare at once.
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::uint64_t kOnes = 0x0101010101010101U;  // Times an octet: that octet everywhere.
constexpr std::uint64_t kHighBits = 0x80 * kOnes;

template <typename Word>
std::uint64_t Load(const char* bytes) {
  Word word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// The 1 to kWordBytes octets at `bytes`, the first one lowest; zeros behind them. Loads that
// overlap cost less than a loop.
std::uint64_t WordOf(const char* bytes, std::size_t size) {
  static_assert(std::endian::native == std::endian::little);
  if (size == kWordBytes) return Load<std::uint64_t>(bytes);
  const std::size_t half = size >= 4 ? 4 : 1;
  const auto at = [bytes, half](std::size_t offset) {
    return (half == 4 ? Load<std::uint32_t>(bytes + offset) : Load<std::uint8_t>(bytes + offset))
           << (offset * 8);
  };
  return at(0) | at((size - half) / 2) | at(size - half);
}

bool IsAsciiWord(std::uint64_t word) { return (word & kHighBits) == 0; }

// ToLower() of each octet of an ASCII word: those from 'A' carry into the high bit by the first
// sum, those behind 'Z' by the second.
std::uint64_t LowerWord(std::uint64_t word) {
  const std::uint64_t from_a = word + (0x80 - 'A') * kOnes;
  const std::uint64_t behind_z = word + (0x80 - ('Z' + 1)) * kOnes;
  return word | ((from_a & ~behind_z & kHighBits) >> 2);
}

// Of a folded name, given word by word with zeros behind its end.
class NameHasher {
 public:
  void Add(std::uint64_t word) { value_ = (std::rotl(value_, 5) ^ word) * 0x9e3779b97f4a7c15U; }
  std::size_t Finish(std::size_t name_bytes) {
    Add(name_bytes);
    value_ ^= value_ >> 32U;
    value_ *= 0xd6e8feb86659fd93U;
    return value_ ^ (value_ >> 32U);
  }

 private:
  std::uint64_t value_ = 0;
};

// `name` in any alphabet.
std::size_t HashFolded(std::string_view name) {
  NameHasher hasher;
  FoldedBytes folded(name);
  char bytes[kWordBytes];
  std::size_t size = 0;
  std::size_t whole = 0;
  while (const std::optional<char> byte = folded.Next()) {
    bytes[size++] = *byte;
    if (size < kWordBytes) continue;
    hasher.Add(WordOf(bytes, size));
    whole += size;
    size = 0;
  }
  if (size > 0) hasher.Add(WordOf(bytes, size));
  return hasher.Finish(whole + size);
}

bool SameFolded(std::string_view a, std::string_view b) {
  FoldedBytes of_a(a);
  FoldedBytes of_b(b);
  while (true) {
    const std::optional<char> byte = of_a.Next();
    if (byte != of_b.Next()) return false;
    if (!byte) return true;
  }
}

}  // namespace

std::string FoldName(std::string_view name) {
  std::string folded;
  folded.reserve(name.size());
  for (std::size_t at = 0; at < name.size();) {
    if (IsAscii(name[at])) {
      folded += ToLower(name[at++]);
      continue;
    }
    const std::size_t begin = at;
    const UChar32 c = NextCharacter(name, at);
    if (c < 0) {
      folded += name.substr(begin, at - begin);
    } else {
      AppendFolded(c, folded);
    }
  }
  return folded;
}

bool SameName(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const std::size_t of_a = std::min(a.size(), kWordBytes);
    const std::size_t of_b = std::min(b.size(), kWordBytes);
    const std::uint64_t word_a = WordOf(a.data(), of_a);
    const std::uint64_t word_b = WordOf(b.data(), of_b);
    if (!IsAsciiWord(word_a | word_b)) return SameFolded(a, b);
    if (of_a != of_b || LowerWord(word_a) != LowerWord(word_b)) return false;
    a.remove_prefix(of_a);
    b.remove_prefix(of_b);
  }
  return a.empty() && b.empty();
}

std::size_t NameHash::operator()(std::string_view name) const {
  NameHasher hasher;
  for (std::string_view left = name; !left.empty();) {
    const std::size_t size = std::min(left.size(), kWordBytes);
    const std::uint64_t word = WordOf(left.data(), size);
    if (!IsAsciiWord(word)) return HashFolded(name);
    hasher.Add(LowerWord(word));
    left.remove_prefix(size);
  }
  return hasher.Finish(name.size());
}

std::string_view TrimName(std::string_view text) {
  for (std::size_t next = 0; !text.empty(); next = 0) {
    if (!IsBlankCharacter(NextCharacter(text, next))) break;
    text.remove_prefix(next);
  }
  for (std::string_view shorter = text; !shorter.empty(); text = shorter) {
    if (!IsBlankCharacter(TakeLastCharacter(shorter))) return text;
  }
  return text;
}

std::string WithoutBlanks(std::string_view text) {
  std::string kept;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    if (!IsBlankCharacter(NextCharacter(text, at))) kept += text.substr(begin, at - begin);
  }
  return kept;
}

std::optional<std::string> TypedCode(std::string_view text) {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string code;
  for (char c : WithoutBlanks(text)) {
    if (c == '-') continue;
    c = ToUpper(c);
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    if (kAlphabet.find(c) == std::string_view::npos) return std::nullopt;
    code += c;
  }
  if (code.empty()) return std::nullopt;
  return code;
}

std::size_t CharactersOf(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) NextCharacter(text, at);
  return count;
}

std::string_view FirstCharacters(std::string_view text, std::size_t characters_max) {
  std::size_t at = 0;
  for (std::size_t count = 0; at < text.size() && count < characters_max; ++count) {
    NextCharacter(text, at);
  }
  return text.substr(0, at);
}

}  // namespace devicetrust
