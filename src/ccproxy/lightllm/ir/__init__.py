"""The intermediate representation: requests, answers, the events an answer arrives in, and what conversion loses."""
