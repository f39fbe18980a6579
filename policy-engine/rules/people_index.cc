#include "policy-engine/rules/people_index.h"

#include <map>
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
  users_.reserve(users.size());
  for (const auto& [name, said] : users) users_.emplace(name, once.NumberOf(said));
  groups_.reserve(groups.size());
  for (const auto& [name, said] : groups) groups_.emplace(name, once.NumberOf(said));
}

RuleSet PeopleIndex::Match(std::string_view user_id, std::span<const std::string> groups) const {
  RuleSet in = everyone_;
  RuleSet out;
  if (!users_.empty()) {
    if (const auto user = users_.find(user_id); user != users_.end()) {
      in |= said_[user->second].in;
      out |= said_[user->second].out;
    }
  }
  if (!groups_.empty()) {
    for (const std::string& name : groups) {
      const auto group = groups_.find(std::string_view(name));
      if (group == groups_.end()) continue;
      in |= said_[group->second].in;
      out |= said_[group->second].out;
    }
  }
  return in - out;
}

}  // namespace devicetrust::policy
