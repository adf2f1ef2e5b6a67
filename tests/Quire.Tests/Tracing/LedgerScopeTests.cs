using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>Leak scopes: they flow with the call, and parallel ones do not see each other's records.</summary>
public sealed class LedgerScopeTests : IDisposable
{
    private const ulong Page = (1ul << 28) | 1;

    private readonly LedgerStore _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public void Scope_numbers_are_new_each_time_and_never_zero()
    {
        int[] scopes = [.. Enumerable.Range(0, 1000).Select(_ => Ledger.NewScope())];
        Assert.Equal(1000, scopes.Distinct().Count());
        Assert.DoesNotContain(0, scopes);
    }

    [Fact]
    public void A_record_carries_the_scope_it_was_taken_in()
    {
        int scope = Ledger.NewScope();
        Take();
        Ledger.CurrentScope = scope;
        uint inside = Take();
        Ledger.CurrentScope = 0;
        Take();

        Assert.Equal(inside, Assert.Single(_ledger.Snapshot(scope)).Ticket);
        Assert.Equal(3, _ledger.Snapshot().Count);
        Assert.Equal(scope, _ledger.Find(inside)!.Scope);
    }

    [Fact]
    public async Task A_scope_follows_its_flow_across_threads_and_stays_out_of_the_others()
    {
        async Task<int> Flow(int takes)
        {
            int scope = Ledger.NewScope();
            Ledger.CurrentScope = scope;
            for (int i = 0; i < takes; i++)
            {
                await Task.Delay(1).ConfigureAwait(false);
                Assert.Equal(scope, Ledger.CurrentScope);
                Take();
                await Task.Run(Take);
            }

            return scope;
        }

        int[] scopes = await Task.WhenAll(Enumerable.Range(1, 10).Select(takes => Task.Run(() => Flow(takes))));
        for (int i = 0; i < scopes.Length; i++)
        {
            Assert.Equal(2 * (i + 1), _ledger.Snapshot(scopes[i]).Count);
        }

        Assert.Equal(0, Ledger.CurrentScope);
    }

    [Fact]
    public void A_pool_thread_is_left_without_the_scope_it_ran_in()
    {
        int scope = Ledger.NewScope();
        ExecutionContext outside = ExecutionContext.Capture()!;
        Ledger.CurrentScope = scope;
        int within = -1;
        ExecutionContext.Run(outside, _ => within = Ledger.CurrentScope, null);
        Assert.Equal(0, within);
        Assert.Equal(scope, Ledger.CurrentScope);
        Ledger.CurrentScope = 0;
    }

    [Fact]
    public void A_transfer_moves_the_record_into_the_receivers_scope_and_a_touch_does_not()
    {
        int sender = Ledger.NewScope();
        int receiver = Ledger.NewScope();
        Ledger.CurrentScope = sender;
        uint touched = Take();
        uint transferred = Take();
        Ledger.CurrentScope = receiver;
        Assert.True(_ledger.Touch(touched, "S.cs", 2, "Receive"));
        Assert.True(_ledger.Transfer(transferred, "S.cs", 3, "Receive"));
        Ledger.CurrentScope = 0;

        Assert.Equal(touched, Assert.Single(_ledger.Snapshot(sender)).Ticket);
        Holder moved = Assert.Single(_ledger.Snapshot(receiver));
        Assert.Equal(transferred, moved.Ticket);
        Assert.Equal(3, moved.Touched!.Value.Site.Line);
    }

    [Fact]
    public void A_snapshot_can_be_of_chosen_pages_only()
    {
        Take();
        uint other = _ledger.Take(Page + 1, 1, 0, HolderKind.Page, "S.cs", 1, "Take");
        Assert.Equal(other, Assert.Single(_ledger.Snapshot(page: identity => identity == Page + 1)).Ticket);
    }

    private uint Take() => _ledger.Take(Page, 1, 0, HolderKind.Page, "S.cs", 1, "Take");
}
