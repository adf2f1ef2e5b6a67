using System.Buffers;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>The call site of who called through an interface: found by a walk, the user's and not the framework's.</summary>
[Collection(LedgerCollection.Name)]
public sealed class CallerTests
{
    [Fact]
    public void The_first_method_of_the_user_is_the_caller_and_the_framework_in_between_is_not()
    {
        CallSite site = default;
        string here = PoolTrial.Here(); Array.ForEach([1], _ => site = Caller.Find());
        Assert.Equal(here, site.Short);
        Assert.StartsWith("lambda", site.Member, StringComparison.Ordinal);

        QuireMemoryPool pool = PoolTrial.Pool();
        using IDisposable session = Holders.Track();
        System.IO.Pipelines.Pipe pipe = new(new System.IO.Pipelines.PipeOptions(pool));

        // Pipelines rents, for us.
        string line = PoolTrial.Here(); pipe.Writer.GetMemory(100);
        Holder holder = Assert.Single(pool.Allocator.HoldersOfMine(), static holder => holder.Kind != HolderKind.Bias);
        Assert.Equal((line, nameof(The_first_method_of_the_user_is_the_caller_and_the_framework_in_between_is_not)), (holder.Taken.Site.Short, holder.Taken.Site.Member));
        pipe.Writer.Complete();
        pipe.Reader.Complete();
        pool.End();
    }

    [Fact]
    public async Task An_async_caller_has_its_own_name_and_line_after_an_await_too()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        using IDisposable session = Holders.Track();
        await Task.Yield();
        string here = PoolTrial.Here(); IMemoryOwner<byte> owner = ((MemoryPool<byte>)pool).Rent(10);
        Holder holder = Assert.Single(pool.Allocator.HoldersOfMine(), static holder => holder.Kind != HolderKind.Bias);
        Assert.Equal((here, nameof(An_async_caller_has_its_own_name_and_line_after_an_await_too)), (holder.Taken.Site.Short, holder.Taken.Site.Member));
        owner.Dispose();
        pool.End();
    }

    [Theory]
    [InlineData("Quire", 0)]
    [InlineData("Quire.AspNetCore", 0)]
    [InlineData(null, 0)]
    [InlineData("System", 1)]
    [InlineData("System.Private.CoreLib", 1)]
    [InlineData("mscorlib", 1)]
    [InlineData("netstandard", 1)]
    [InlineData("Microsoft.AspNetCore.Server.Kestrel.Core", 2)]
    [InlineData("Quire.Tests", 3)]
    [InlineData("Systematic", 3)]
    [InlineData("MicrosoftFan", 3)]
    [InlineData("MyApp", 3)]
    public void The_users_assemblies_come_before_the_frameworks(string? assembly, int rank) => Assert.Equal(rank, Caller.RankOf(assembly));

    [Fact]
    public void Where_only_the_framework_is_on_the_stack_its_uppermost_library_stands_for_it()
    {
        // No symbols there: the type stands for the file.
        StackFrame[] frames = new StackTrace().GetFrames().Where(static frame => frame.GetMethod()!.Module.Assembly == typeof(object).Assembly).ToArray();
        CallSite site = Caller.Choose(frames);
        Assert.StartsWith("System.", site.File, StringComparison.Ordinal);
        Assert.Equal(0, site.Line);
        Assert.Equal($"{site.File} {site.Member}", site.ToString());
        Assert.True(Caller.Choose([]).IsUnknown);
    }

    [Fact]
    public void A_stack_seen_before_costs_no_garbage_and_is_one_call_site()
    {
        CallSite first = Find();
        for (int i = 0; i < 50; i++)
        {
            Find();
        }

        long least = Garbage.Least(5, static () =>
        {
            for (int i = 0; i < 1000; i++)
            {
                Find();
            }
        });
        Assert.SkipUnless(StackCapture.IsAvailable, StackCapture.WhyNot);
        Assert.Equal(0, least);
        Assert.Equal(first, Find());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static CallSite Find() => Caller.Find();
}
