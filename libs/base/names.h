// Names of people, computers, groups and domains as a directory compares them, and what counts of
// a text that a person typed or pasted. Texts are UTF-8; bytes that are not stay as they are.
// Pure and thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace devicetrust {

// Two names that have the same folded form are one: Unicode's simple case folding (CaseFolding.txt,
// status C and S), character by character, which is what Active Directory and Samba do. "ZOË" is
// "zoë"; "ß" is not "ss", "İ" is not "i", and "é" of two characters is not "é" of one.
// For comparing alone: what people and programs are shown is the name itself.
std::string FoldName(std::string_view name);

// FoldName(a) == FoldName(b). Costs no memory.
bool SameName(std::string_view a, std::string_view b);

// For unordered containers of names, which look-ups by string_view need not copy.
struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const;
};
struct NameEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return SameName(a, b); }
};

// Blanks are Unicode's White_Space and Default_Ignorable_Code_Point: spaces of any width, line
// ends, and the marks without a width (U+200E, U+FEFF, soft hyphens) that come along when a text
// is copied from a page.

// `text` without blanks at its ends. For whatever a person names; never for a password.
std::string_view TrimName(std::string_view text);
// `text` without any blanks, for digits in groups: "123 456".
std::string WithoutBlanks(std::string_view text);
// A code in Crockford's Base32, as it was made: in capitals, O as 0, I and L as 1, without blanks
// and dashes. nullopt: it is empty, or has other characters.
std::optional<std::string> TypedCode(std::string_view text);

// Characters are code points; bytes that are not UTF-8 count one each.
std::size_t CharactersOf(std::string_view text);
// The first `characters_max` of them.
std::string_view FirstCharacters(std::string_view text, std::size_t characters_max);

}  // namespace devicetrust
