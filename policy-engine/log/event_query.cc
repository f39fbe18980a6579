#include "policy-engine/log/event_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "libs/base/names.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/event_record.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::int64_t kEverySequence = std::numeric_limits<std::int64_t>::max();
constexpr int kChunkMax = 1000;

// Of a bound that somebody asks for: "until the year 9999" is no mistake.
std::int64_t NearestMillis(const google::protobuf::Timestamp& time) {
  return UnixMillis(AtUnixSeconds(time.seconds())) + time.nanos() / 1'000'000;
}

bool IsPersonOrDevice(const std::string& type) {
  return type == "User" || type == "Device" || type == "Certificate";
}

// `wide`: of actors and targets of every kind.
std::set<std::string> Subjects(const v1::Event& event, bool wide) {
  std::set<std::string> subjects;
  const auto add = [&](const std::string& type, const std::string& id, const std::string& name) {
    if (!wide && !IsPersonOrDevice(type)) return;
    if (!id.empty()) subjects.insert(FoldName(id));
    if (type == "User" && !name.empty()) subjects.insert(FoldName(name));
  };
  add(event.actor().type(), event.actor().id(), event.actor().display_name());
  for (const v1::Target& target : event.targets()) {
    add(target.type(), target.id(), target.display_name());
  }
  const auto device = event.debug_data().find("device_id");
  if (device != event.debug_data().end() && !device->second.empty()) {
    subjects.insert(FoldName(device->second));
  }
  return subjects;
}

// $1 and $2: between which sequences, $3: how many, $4 and on: the subject or types.
std::string Statement(std::string_view index, bool newest_first, bool with_event) {
  const std::string_view order = newest_first ? "DESC" : "ASC";
  const std::string columns =
      fmt::format("e.sequence, e.at_ms, e.type, {}", with_event ? "e.event" : "NULL");
  if (index == "subject") {
    return fmt::format(
        "SELECT {} FROM event_subjects s JOIN events e ON e.sequence = s.sequence"
        " WHERE s.subject = $4 AND s.sequence > $1 AND s.sequence < $2"
        " ORDER BY s.sequence {} LIMIT $3",
        columns, order);
  }
  if (index.empty()) {
    return fmt::format(
        "SELECT {} FROM events e WHERE e.sequence > $1 AND e.sequence < $2"
        " ORDER BY e.sequence {} LIMIT $3",
        columns, order);
  }
  std::string of_types;
  for (int i = 0; i < kEventTypesPerFilterMax; ++i) {
    of_types += fmt::format(
        "{}SELECT sequence FROM (SELECT sequence FROM events WHERE type = ${} AND sequence > $1"
        " AND sequence < $2 ORDER BY sequence {} LIMIT $3)",
        i == 0 ? "" : " UNION ALL ", 4 + i, order);
  }
  return fmt::format(
      "SELECT {} FROM ({} ORDER BY sequence {} LIMIT $3) c JOIN events e ON e.sequence = c.sequence"
      " ORDER BY e.sequence {}",
      columns, of_types, order, order);
}

absl::Status ParseEvent(const db::Row& row, v1::Event& event) {
  const Bytes& blob = db::Blob(row[3]);
  if (!event.ParseFromArray(blob.data(), static_cast<int>(blob.size()))) {
    return absl::DataLossError(
        fmt::format("event {} in the System Log does not parse", db::Int(row[0])));
  }
  event.set_sequence(db::Int(row[0]));
  return absl::OkStatus();
}

}  // namespace

std::set<std::string> SubjectsOf(const v1::Event& event) { return Subjects(event, true); }

absl::StatusOr<EventQuery> EventQuery::Make(const v1::EventFilter& filter) {
  if (filter.types_size() > kEventTypesPerFilterMax) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          fmt::format("at most {} types in one filter", kEventTypesPerFilterMax));
  }
  EventQuery query;
  std::optional<WallTime> since;
  if (filter.has_since()) {
    query.since_ms_ = NearestMillis(filter.since());
    since = AtUnixSeconds(filter.since().seconds());
  }
  if (filter.has_until()) query.until_ms_ = NearestMillis(filter.until());
  query.types_.assign(filter.types().begin(), filter.types().end());
  query.index_types_ = query.types_;
  for (const std::string* const name : {&filter.user_id(), &filter.device_id()}) {
    std::string subject = FoldName(TrimName(*name));
    if (!subject.empty()) query.subjects_.push_back(std::move(subject));
  }
  if (!query.subjects_.empty()) query.index_subject_ = query.subjects_.front();
  if (!filter.expression().empty()) {
    DT_ASSIGN_OR_RETURN(query.expression_, EventExpression::Parse(filter.expression()));
    const FilterHints& hints = query.expression_->hints();
    const bool few = hints.types.size() <= static_cast<std::size_t>(kEventTypesPerFilterMax);
    if (query.index_types_.empty() && few) query.index_types_ = hints.types;
    if (!query.index_subject_ && !hints.subjects.empty()) {
      query.index_subject_ = FoldName(hints.subjects.front());
      query.subject_is_wide_ = true;
    }
    if (hints.since && (!since || *since < *hints.since)) since = hints.since;
  }
  // An event tells of a time that is at most so far ahead of its arrival, whose time the sequence
  // is at least.
  if (since) {
    const WallTime arrived = std::max(*since, AtUnixSeconds(0)) - kEventClockSkew;
    query.least_sequence_ = std::max<std::int64_t>(UnixMicros(arrived) - 1, 0);
  }
  return query;
}

bool EventQuery::MayMatch(const std::string& type, std::int64_t at_ms) const {
  if (at_ms < since_ms_ || at_ms >= until_ms_) return false;
  return types_.empty() || std::ranges::find(types_, type) != types_.end();
}

bool EventQuery::Matches(const v1::Event& event) const {
  if (!MayMatch(event.type(), UnixMillis(rpc::FromTimestamp(event.at())))) return false;
  if (!subjects_.empty()) {
    const std::set<std::string> own = Subjects(event, false);
    const bool all = std::ranges::all_of(
        subjects_, [&own](const std::string& subject) { return own.contains(subject); });
    if (!all) return false;
  }
  return !expression_ || expression_->Matches(event);
}

// In the order of the walk.
std::vector<EventSearch::Region> EventSearch::Regions(Range range, bool newest_first) const {
  range.low = std::max(range.low, query_.least_sequence_ - 1);
  const Index others = query_.index_types_.empty() ? Index::kNone : Index::kTypes;
  if (!query_.index_subject_) return {{others, range}};
  if (!query_.subject_is_wide_) return {{Index::kSubject, range}};
  std::vector<Region> regions;
  if (range.high > indexed_from_) {
    regions.push_back({Index::kSubject, {std::max(range.low, indexed_from_ - 1), range.high}});
  }
  if (range.low < indexed_from_ - 1) {
    regions.push_back({others, {range.low, std::min(range.high, indexed_from_)}});
  }
  if (!newest_first) std::ranges::reverse(regions);
  return regions;
}

absl::StatusOr<std::vector<db::Row>> EventSearch::Fetch(const Region& region, bool newest_first,
                                                        bool with_event, std::int64_t count) {
  static const auto kStatements = [] {
    std::array<std::array<std::string, 4>, 3> statements;
    constexpr std::array<std::string_view, 3> kIndexes = {"", "types", "subject"};
    for (std::size_t i = 0; i < statements.size(); ++i) {
      for (std::size_t j = 0; j < statements[i].size(); ++j) {
        statements[i][j] = Statement(kIndexes[i], (j & 1) != 0, (j & 2) != 0);
      }
    }
    return statements;
  }();
  const auto& statements = kStatements[static_cast<std::size_t>(region.index)];
  std::vector<db::Value> arguments = {region.range.low, region.range.high, count};
  if (region.index == Index::kSubject) arguments.emplace_back(*query_.index_subject_);
  if (region.index == Index::kTypes) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(kEventTypesPerFilterMax); ++i) {
      const auto& types = query_.index_types_;
      arguments.emplace_back(i < types.size() ? types[i] : std::string());
    }
  }
  return txn_.Run(statements[(newest_first ? 1U : 0U) + (with_event ? 2U : 0U)], arguments);
}

template <typename See>
absl::Status EventSearch::Walk(Range range, bool newest_first, bool with_event, int chunk,
                               int looked_at_max, std::int64_t& position, bool& all,
                               const See& see) {
  position = newest_first ? range.high : range.low;
  for (Region region : Regions(range, newest_first)) {
    for (bool exhausted = false; !exhausted;) {
      const int count = std::min(chunk, looked_at_max);
      if (count == 0) return absl::OkStatus();
      DT_ASSIGN_OR_RETURN(const auto rows, Fetch(region, newest_first, with_event, count));
      for (const db::Row& row : rows) {
        DT_ASSIGN_OR_RETURN(const bool go_on, see(row));
        if (!go_on) return absl::OkStatus();
        position = db::Int(row[0]);
      }
      (newest_first ? region.range.high : region.range.low) = position;
      looked_at_max -= static_cast<int>(rows.size());
      exhausted = rows.size() < static_cast<std::size_t>(count);
      chunk = std::min(chunk * 2, kChunkMax);
    }
  }
  all = true;
  return absl::OkStatus();
}

absl::StatusOr<EventSearch::Result> EventSearch::Find(Range range, bool newest_first, int limit) {
  Result result;
  const auto see = [&](const db::Row& row) -> absl::StatusOr<bool> {
    if (result.events.size() == static_cast<std::size_t>(limit)) return false;
    if (!query_.MayMatch(db::Text(row[2]), db::Int(row[1]))) return true;
    v1::Event event;
    DT_RETURN_IF_ERROR(ParseEvent(row, event));
    if (query_.Matches(event)) result.events.push_back(std::move(event));
    return true;
  };
  DT_RETURN_IF_ERROR(Walk(range, newest_first, true, std::min(limit + 1, kChunkMax),
                          kEventsLookedAtMax, result.position, result.all, see));
  return result;
}

absl::StatusOr<EventSearch::Result> EventSearch::NewestFirst(std::int64_t before, int limit) {
  return Find({0, before}, true, limit);
}

absl::StatusOr<EventSearch::Result> EventSearch::OldestFirst(std::int64_t after, int limit) {
  return Find({after, kEverySequence}, false, limit);
}

absl::StatusOr<EventSearch::Counted> EventSearch::Count(std::int64_t before) {
  Counted counted;
  const bool with_event = query_.expression_.has_value() || !query_.subjects_.empty();
  const auto see = [&](const db::Row& row) -> absl::StatusOr<bool> {
    if (!query_.MayMatch(db::Text(row[2]), db::Int(row[1]))) return true;
    if (with_event) {
      v1::Event event;
      DT_RETURN_IF_ERROR(ParseEvent(row, event));
      if (!query_.Matches(event)) return true;
    }
    ++counted.by_type[db::Text(row[2])];
    return true;
  };
  DT_RETURN_IF_ERROR(Walk({0, before}, true, with_event, kChunkMax,
                          with_event ? kEventsLookedAtMax : kEventsCountedMax, counted.position,
                          counted.all, see));
  return counted;
}

}  // namespace devicetrust::policy
