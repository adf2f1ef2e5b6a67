using System.Text;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>What the reader of texts keeps. It is seen in the memory of the whole process, so nothing else may run.</summary>
[Collection(nameof(AloneCollection))]
public sealed class TextMemoryTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-text-memory-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Events_that_wait_for_stacks_that_never_come_don_t_fill_the_memory()
    {
        // One CPU goes idle behind an event that has no stack; another goes on for long. Lines are as long as a line may be.
        StringBuilder text = new();
        text.Append("  a-1      [000] d....     1.000000: page_ref_set: pfn=0x1 val=1\n");
        string filling = new('x', 60_000);
        for (int at = 1; at < 1200; at++)
        {
            text.Append($"  b-2      [001] .....     1.{at:d6}: tracing_mark_write: {filling}\n");
        }

        string file = Path.Combine(_folder.FullName, "x");
        File.WriteAllText(file, text.ToString());
        using TraceInput input = TraceInput.Open(file);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        int events = 0;
        while (input.TryRead(out _))
        {
            events++;
        }

        Assert.Equal(1200, events);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 40 << 20);
    }
}

/// <summary>Tests that measure the process run when no other does.</summary>
[CollectionDefinition(nameof(AloneCollection), DisableParallelization = true)]
public sealed class AloneCollection;
