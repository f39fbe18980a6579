#include "libs/db/connection.h"

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
  conflict_ = false;
  DT_RETURN_IF_ERROR(Execute(BeginStatement(), {}).status());
  return Transaction(this);
}

Transaction::Transaction(Transaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

Transaction::~Transaction() {
  if (connection_ != nullptr && connection_->InTransaction()) {
    connection_->Execute("ROLLBACK", {}).IgnoreError();
  }
}

absl::StatusOr<std::vector<Row>> Transaction::Run(std::string_view sql,
                                                  std::span<const Value> args) {
  DT_CHECK(connection_ != nullptr);
  auto rows = connection_->Execute(sql, args);
  if (absl::IsAborted(rows.status())) connection_->conflict_ = true;
  return rows;
}

absl::Status Transaction::Commit() {
  DT_CHECK(connection_ != nullptr);
  DT_RETURN_IF_ERROR(connection_->Execute("COMMIT", {}).status());
  connection_ = nullptr;
  return absl::OkStatus();
}

}  // namespace devicetrust::db
