#include "train/chat/rendered_row.h"

#include <utility>

namespace fpo::train {

RenderedRow DroppedRow(std::string reason, std::string detail) {
  RenderedRow row;
  row.drop_reason = std::move(reason);
  row.drop_detail = std::move(detail);
  return row;
}

std::string FlagMarks(const LiteralMarks& marks, Conversation* conversation) {
  std::vector<Message> all = std::move(conversation->prompt);
  all.push_back(std::move(conversation->chosen));
  if (conversation->rejected) all.push_back(*std::move(conversation->rejected));
  std::string flag = marks.Flag(&all);
  if (conversation->rejected) {
    conversation->rejected = std::move(all.back());
    all.pop_back();
  }
  conversation->chosen = std::move(all.back());
  all.pop_back();
  conversation->prompt = std::move(all);
  return flag;
}

}  // namespace fpo::train
