"""What logins and renewals share about challenges: questions, refusals, and the codes of a kept seed."""
