"""``fpo-openai``: the fine-tuning half of OpenAI's API in front of the coordinator.

Files lie in a folder of this server; jobs are the coordinator's own, found by their labels, so that nothing here has to agree with it.
"""
