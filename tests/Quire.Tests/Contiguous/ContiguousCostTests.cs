using Xunit;

namespace Quire.Tests.Contiguous;

public class ContiguousCostTests
{
    [Fact(Explicit = true)]
    public void Cost_of_a_contiguous_allocation()
    {
        for (int i = 0; i < 3; i++)
        {
            Console.WriteLine(ContiguousCost.Measure(15));
        }
    }
}
