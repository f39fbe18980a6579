#include "libs/db/connection.h"

#include <algorithm>
#include <utility>

#include "libs/base/check.h"

namespace devicetrust::db {

std::int64_t Int(const Value& value) {
  DT_CHECK(std::holds_alternative<std::int64_t>(value));
  return std::get<std::int64_t>(value);
}

const std::string& Text(const Value& value) {
  DT_CHECK(std::holds_alternative<std::string>(value));
  return std::get<std::string>(value);
}

const Bytes& Blob(const Value& value) {
  DT_CHECK(std::holds_alternative<Bytes>(value));
  return std::get<Bytes>(value);
}

absl::StatusOr<Transaction> Connection::Begin() {
  DT_RETURN_IF_ERROR(BeginTransaction());
  return Transaction(this);
}

absl::Status Connection::LimitBytes(std::int64_t /*bytes_max*/) {
  return absl::InvalidArgumentError("this kind of store takes no size limit");
}

Transaction::Transaction(Transaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)),
      changed_(other.changed_),
      topics_(std::move(other.topics_)) {}

Transaction::~Transaction() {
  if (connection_ != nullptr) connection_->RollBackTransaction();
}

absl::StatusOr<std::vector<Row>> Transaction::Run(std::string_view sql,
                                                  std::span<const Value> args) {
  DT_CHECK(connection_ != nullptr);
  absl::StatusOr<Connection::Result> result = connection_->Execute(sql, args);
  if (!result.ok()) return std::move(result).status();
  changed_ = changed_ || result->changed;
  return std::move(result->rows);
}

absl::StatusOr<bool> Transaction::Change(std::string_view sql, std::initializer_list<Value> args) {
  DT_CHECK(connection_ != nullptr);
  DT_ASSIGN_OR_RETURN(const Connection::Result result,
                      connection_->Execute(sql, std::span<const Value>(args.begin(), args.size())));
  changed_ = changed_ || result.changed;
  return result.changed;
}

void Transaction::Announce(std::string_view topic) {
  if (std::ranges::find(topics_, topic) == topics_.end()) topics_.push_back(topic);
}

absl::Status Transaction::Commit() {
  DT_CHECK(connection_ != nullptr);
  DT_RETURN_IF_ERROR(connection_->CommitTransaction());
  connection_ = nullptr;
  return absl::OkStatus();
}

}  // namespace devicetrust::db
