#include "libs/base/names.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

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

// FNV-1a with a last mix.
class NameHasher {
 public:
  void Add(char byte) { value_ = (value_ ^ static_cast<unsigned char>(byte)) * 1099511628211U; }
  std::size_t Finish() const { return value_ ^ (value_ >> 32U); }

 private:
  std::uint64_t value_ = 14695981039346656037U;
};

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
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (!IsAscii(a[i]) || !IsAscii(b[i])) return FoldName(a.substr(i)) == FoldName(b.substr(i));
    if (ToLower(a[i]) != ToLower(b[i])) return false;
  }
  return a.size() == b.size();
}

std::size_t NameHash::operator()(std::string_view name) const {
  NameHasher hasher;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!IsAscii(name[i])) {
      for (const char c : FoldName(name.substr(i))) hasher.Add(c);
      break;
    }
    hasher.Add(ToLower(name[i]));
  }
  return hasher.Finish();
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
