#include "libs/net/connection_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace devicetrust::net {
namespace {

class FakeSession final : public Session {
 public:
  Task<void> Run() override { co_return; }
  void CloseWhenIdle() override {}
  void Cut() override { cut = true; }
  bool cut = false;
};

// Connections by the order of their coming.
class ConnectionTableTest : public ::testing::Test {
 protected:
  struct Open {
    std::unique_ptr<FakeSession> session = std::make_unique<FakeSession>();
    std::unique_ptr<Admission> admission;
  };

  void Make(std::size_t connections_max, std::size_t per_address_max,
            std::size_t bytes_max = 1 << 20) {
    table_ = std::make_unique<ConnectionTable>(connections_max, per_address_max, bytes_max);
  }
  bool Connect(const std::string& address) {
    Open& open = open_.emplace_back();
    open.admission = table_->Admit(boost::asio::ip::make_address(address));
    if (open.admission == nullptr) return false;
    return ConnectionTable::Attach(*open.admission, *open.session);
  }
  std::string Cut() const {  // Their numbers.
    std::string cut;
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (open_[i].session->cut) cut += std::to_string(i);
    }
    return cut;
  }

  std::unique_ptr<ConnectionTable> table_;
  std::vector<Open> open_;
};

TEST_F(ConnectionTableTest, TheOldestWithoutARequestGoesFirst) {
  Make(3, 0);
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_TRUE(Connect("192.0.2.2"));
  EXPECT_TRUE(Connect("192.0.2.3"));
  open_[0].admission->Idle();
  EXPECT_TRUE(Connect("192.0.2.4"));
  EXPECT_EQ(Cut(), "1");
  EXPECT_TRUE(Connect("192.0.2.5"));
  EXPECT_EQ(Cut(), "12");
  EXPECT_EQ(table_->size(), 3U);
  EXPECT_EQ(table_->evicted(), 2U);
}

TEST_F(ConnectionTableTest, ThenTheOneThatWasIdleLongestAndNoneThatIsBusy) {
  Make(3, 0);
  for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) EXPECT_TRUE(Connect(address));
  open_[2].admission->Idle();
  open_[1].admission->Idle();
  open_[0].admission->Busy();
  EXPECT_TRUE(Connect("192.0.2.4"));
  EXPECT_EQ(Cut(), "2");
  open_[3].admission->Busy();
  open_[1].admission->Busy();
  EXPECT_FALSE(Connect("192.0.2.5"));
  EXPECT_EQ(Cut(), "2");
  open_[0].admission.reset();  // It leaves by itself.
  EXPECT_TRUE(Connect("192.0.2.6"));
  EXPECT_EQ(Cut(), "2");
}

// Who keeps all places but one idle, and connects again and again, must not shut others out.
TEST_F(ConnectionTableTest, ANewcomerHasTimeWhereOthersAreIdle) {
  Make(8, 0);
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(Connect("192.0.2.1"));
    open_.back().admission->Idle();
  }
  EXPECT_TRUE(Connect("198.51.100.7"));  // 7
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_EQ(Cut(), "0");
  EXPECT_TRUE(Connect("192.0.2.1"));  // Now a quarter of them are new.
  EXPECT_EQ(Cut(), "07");
}

TEST_F(ConnectionTableTest, AnAddressFillsItsShareAlone) {
  Make(100, 2);
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_TRUE(Connect("192.0.2.2"));
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_EQ(Cut(), "0");
  for (const int busy : {1, 3}) open_[static_cast<std::size_t>(busy)].admission->Busy();
  EXPECT_FALSE(Connect("192.0.2.1"));
  EXPECT_TRUE(Connect("192.0.2.2"));
  EXPECT_EQ(Cut(), "0");
}

TEST_F(ConnectionTableTest, A64OfIpv6IsOneAddressAndAMappedAddressIsIpv4) {
  Make(100, 1);
  EXPECT_TRUE(Connect("2001:db8:0:1::1"));
  EXPECT_TRUE(Connect("2001:db8:0:2::1"));
  EXPECT_EQ(Cut(), "");
  EXPECT_TRUE(Connect("2001:db8:0:1:ffff:ffff:ffff:ffff"));
  EXPECT_EQ(Cut(), "0");
  EXPECT_TRUE(Connect("::ffff:192.0.2.1"));
  EXPECT_TRUE(Connect("::ffff:192.0.2.2"));
  EXPECT_EQ(Cut(), "0");
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_EQ(Cut(), "03");
}

TEST_F(ConnectionTableTest, WhoHoldsMoreMakesOthersGoByAge) {
  Make(100, 0, 4 * kConnectionBytes + 1000);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_TRUE(open_[3].admission->Hold(Admission::Part::kTls, 600));
  EXPECT_TRUE(open_[3].admission->Hold(Admission::Part::kProtocol, 400));
  EXPECT_EQ(Cut(), "");
  EXPECT_EQ(table_->bytes(), 4 * kConnectionBytes + 1000);
  EXPECT_TRUE(open_[3].admission->Hold(Admission::Part::kTls, kConnectionBytes + 601));
  EXPECT_EQ(Cut(), "01");
  EXPECT_TRUE(open_[3].admission->Hold(Admission::Part::kTls, 0));
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_EQ(Cut(), "01");
  open_[3].admission.reset();
  EXPECT_EQ(table_->bytes(), 2 * kConnectionBytes);
}

TEST_F(ConnectionTableTest, NobodyIsAdmittedWithoutMemory) {
  Make(100, 0, 2 * kConnectionBytes);
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_EQ(Cut(), "0");
  for (const int busy : {1, 2}) open_[static_cast<std::size_t>(busy)].admission->Busy();
  EXPECT_FALSE(Connect("192.0.2.1"));
}

TEST_F(ConnectionTableTest, WhoHoldsTooMuchEndsAtItsTurnOrWhenAllAreBusy) {
  Make(100, 0, 3 * kConnectionBytes);
  EXPECT_TRUE(Connect("192.0.2.1"));
  EXPECT_TRUE(Connect("192.0.2.2"));
  EXPECT_FALSE(open_[0].admission->Hold(Admission::Part::kProtocol, 2 * kConnectionBytes));
  EXPECT_EQ(Cut(), "0");
  EXPECT_FALSE(open_[0].admission->Hold(Admission::Part::kProtocol, 0));
  EXPECT_EQ(table_->bytes(), kConnectionBytes);
  open_[1].admission->Busy();
  EXPECT_FALSE(open_[1].admission->Hold(Admission::Part::kProtocol, 3 * kConnectionBytes));
  EXPECT_EQ(Cut(), "0");
}

TEST_F(ConnectionTableTest, MakesRoomWhenAsked) {
  Make(100, 0);
  EXPECT_FALSE(table_->MakeRoom());
  EXPECT_TRUE(Connect("192.0.2.1"));
  open_[0].admission->Busy();
  EXPECT_FALSE(table_->MakeRoom());
  open_[0].admission->Idle();
  EXPECT_TRUE(table_->MakeRoom());
  EXPECT_EQ(Cut(), "0");
  EXPECT_EQ(table_->size(), 0U);
}

}  // namespace
}  // namespace devicetrust::net
