#include "policy-engine/rules/people_index.h"

#include <bit>
#include <cstddef>
#include <unordered_map>
#include <utility>

namespace devicetrust::policy {
namespace {

// The numbers of what is said, each said once.
template <typename Said>
class SaidOnce {
 public:
  explicit SaidOnce(std::vector<Said>& said) : said_(said) {}
  std::uint32_t NumberOf(const Said& wanted) {
    const std::size_t hash = RuleSet::Hash{}(wanted.in) * 31 + RuleSet::Hash{}(wanted.out);
    for (auto [at, end] = known_.equal_range(hash); at != end; ++at) {
      if (said_[at->second] == wanted) return at->second;
    }
    const auto number = static_cast<std::uint32_t>(said_.size());
    said_.push_back(wanted);
    known_.emplace(hash, number);
    return number;
  }

 private:
  std::vector<Said>& said_;
  std::unordered_multimap<std::size_t, std::uint32_t> known_;
};

}  // namespace

template <typename Hash, typename Equal>
template <typename Map>
PeopleIndex::Names<Hash, Equal>::Names(const Map& numbers) {
  if (numbers.empty()) return;
  places_.resize(std::bit_ceil(2 * numbers.size()));
  for (const auto& [name, said] : numbers) {
    const std::uint64_t hash = Hash{}(name);
    std::size_t at = hash & (places_.size() - 1);
    while (places_[at].said != 0) at = (at + 1) & (places_.size() - 1);
    places_[at] = {static_cast<std::uint32_t>(hash >> 32U), said,
                   static_cast<std::uint32_t>(text_.size()),
                   static_cast<std::uint32_t>(name.size())};
    text_ += name;
  }
}

template <typename Hash, typename Equal>
std::uint32_t PeopleIndex::Names<Hash, Equal>::Find(std::string_view name) const {
  if (places_.empty()) return 0;
  const std::uint64_t hash = Hash{}(name);
  std::size_t at = hash & (places_.size() - 1);
  for (; places_[at].said != 0; at = (at + 1) & (places_.size() - 1)) {
    const Place& place = places_[at];
    if (place.hash != hash >> 32U) continue;
    if (Equal{}(std::string_view(text_).substr(place.begin, place.size), name)) return place.said;
  }
  return 0;
}

PeopleIndex::PeopleIndex(std::span<const Rule> rules) {
  std::unordered_map<std::string, Said, TextHash, std::equal_to<>> users;
  std::unordered_map<std::string, Said, NameHash, NameEqual> groups;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const PeopleCondition& people = rules[i].people;
    if (people.everyone) everyone_.Add(i);
    for (const std::string& user : people.users) users[user].in.Add(i);
    for (const std::string& user : people.except_users) users[user].out.Add(i);
    for (const std::string& group : people.groups) groups[group].in.Add(i);
    for (const std::string& group : people.except_groups) groups[group].out.Add(i);
  }
  SaidOnce<Said> once(said_);
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  for (const auto& [name, said] : users) numbers.emplace(name, once.NumberOf(said));
  users_ = Names<TextHash, std::equal_to<std::string_view>>(numbers);
  numbers.clear();
  for (const auto& [name, said] : groups) numbers.emplace(name, once.NumberOf(said));
  groups_ = Names<NameHash, NameEqual>(numbers);
}

RuleSet PeopleIndex::Match(std::string_view user_id, std::span<const std::string> groups) const {
  const Said& of_user = said_[users_.Find(user_id)];
  RuleSet in = everyone_ | of_user.in;
  RuleSet out = of_user.out;
  if (groups_.empty()) return in - out;
  for (const std::string& name : groups) {
    const Said& of_group = said_[groups_.Find(name)];
    in |= of_group.in;
    out |= of_group.out;
  }
  return in - out;
}

}  // namespace devicetrust::policy
