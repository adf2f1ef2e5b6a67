using Xunit;

namespace Quire.Tests;

/// <summary>Tests that switch the process's ledger on, measure what a thread allocates, or need frame numbers that nobody else takes meanwhile: one after another, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LedgerCollection
{
    public const string Name = "ledger";
}
