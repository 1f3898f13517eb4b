// SPDX-License-Identifier: Apache-2.0
#include "codec/session_json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "codec/base64.h"

namespace drumbeat::codec {
namespace {

std::optional<std::uint64_t> ParseWhole(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// Builds a session from the parser's events, so that no text can make it hold a tree.
class SessionBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::optional<StoredSession> Take() {
    if (place_ != Place::kDone) return std::nullopt;
    auto& history = session_.history;
    std::ranges::sort(history, {}, &StoredResult::series_id);
    const auto twice = std::ranges::adjacent_find(history, {}, &StoredResult::series_id);
    if (twice != history.end()) return std::nullopt;
    return std::move(session_);
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kOutside: place_ = Place::kSession; return true;
      case Place::kSession: place_ = Place::kHistory; return member_ == Member::kHistory;
      case Place::kHistory:
        place_ = Place::kResult;
        result_members_ = 0;
        return true;
      default: return false;
    }
  }

  bool end_object() override {
    switch (place_) {
      case Place::kResult: place_ = Place::kHistory; return result_members_ == kAllOfResult;
      case Place::kHistory: place_ = Place::kSession; return true;
      default: place_ = Place::kDone; return session_members_ == kAllOfSession;
    }
  }

  bool key(string_t& name) override {
    switch (place_) {
      case Place::kSession:
        if (name == "History") return Begin(session_members_, Member::kHistory);
        if (name == "ClientID") return Begin(session_members_, Member::kClientId);
        return name == "RespondedUpTo" && Begin(session_members_, Member::kRespondedUpTo);
      case Place::kResult:
        if (name == "Value") return Begin(result_members_, Member::kValue);
        return name == "Data" && Begin(result_members_, Member::kData);
      default: break;
    }
    const std::optional<std::uint64_t> series = ParseWhole(name);
    if (!series) return false;
    session_.history.push_back({.series_id = *series, .result = {}});
    member_ = Member::kSeries;
    return true;
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (std::uint64_t* place = NumberPlace()) {
      *place = number;
      return true;
    }
    return false;
  }
  bool string(string_t& text) override {
    if (place_ != Place::kResult || member_ != Member::kData) return false;
    std::optional<std::string> data = DecodeBase64(text);
    if (!data) return false;
    session_.history.back().result.data = std::move(*data);
    return true;
  }
  bool null() override { return place_ == Place::kResult && member_ == Member::kData; }

  bool boolean(bool) override { return false; }
  bool number_integer(number_integer_t) override { return false; }
  bool number_float(number_float_t, const string_t&) override { return false; }
  bool binary(binary_t&) override { return false; }
  bool start_array(std::size_t) override { return false; }
  bool end_array() override { return false; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  enum class Place : std::uint8_t { kOutside, kSession, kHistory, kResult, kDone };
  enum class Member : std::uint8_t {
    kHistory = 1,
    kClientId = 2,
    kRespondedUpTo = 4,
    kValue = 8,
    kData = 16,
    kSeries = 32,
  };
  static constexpr unsigned kAllOfSession = 1 | 2 | 4;
  static constexpr unsigned kAllOfResult = 8 | 16;

  /// False if the member was there before.
  bool Begin(unsigned& members, Member member) {
    const unsigned bit = static_cast<unsigned>(member);
    member_ = member;
    return (std::exchange(members, members | bit) & bit) == 0;
  }

  /// Where a number belongs now, or null.
  std::uint64_t* NumberPlace() {
    if (place_ == Place::kSession && member_ == Member::kClientId) return &session_.client_id;
    if (place_ == Place::kSession && member_ == Member::kRespondedUpTo) {
      return &session_.responded_to;
    }
    if (place_ == Place::kResult && member_ == Member::kValue) {
      return &session_.history.back().result.value;
    }
    return nullptr;
  }

  StoredSession session_;
  Place place_ = Place::kOutside;
  Member member_ = Member::kSeries;
  unsigned session_members_ = 0;
  unsigned result_members_ = 0;
};

}  // namespace

std::string EncodeSession(const StoredSession& session) {
  std::vector<std::pair<std::string, const ApplyResult*>> history;
  for (const StoredResult& stored : session.history) {
    history.emplace_back(std::to_string(stored.series_id), &stored.result);
  }
  std::ranges::sort(history);
  std::string out = "{\"History\":{";
  const char* separator = "";
  for (const auto& [series, result] : history) {
    out.append(std::exchange(separator, ",")).append("\"").append(series);
    out.append("\":{\"Value\":").append(std::to_string(result->value)).append(",\"Data\":");
    if (result->data.empty()) {
      out.append("null}");
    } else {
      out.append("\"").append(EncodeBase64(result->data)).append("\"}");
    }
  }
  out.append("},\"ClientID\":").append(std::to_string(session.client_id));
  out.append(",\"RespondedUpTo\":").append(std::to_string(session.responded_to)).append("}");
  return out;
}

std::optional<StoredSession> DecodeSession(std::string_view text) {
  SessionBuilder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  return builder.Take();
}

}  // namespace drumbeat::codec
